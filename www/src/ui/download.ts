/** Gives the reader `blob` as a file. */
export function download(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has to have begun by then; there is no event that says so.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
