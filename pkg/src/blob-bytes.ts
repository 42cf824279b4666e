/* oxlint-disable no-await-in-loop -- bytes come one after the other */
/** Yields a file's bytes by a reader: Safari can't iterate over a stream. */
export async function* blobBytes(blob: Blob): AsyncGenerator<Uint8Array, void, void> {
  const reader = blob.stream().getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    yield next.value;
  }
}
