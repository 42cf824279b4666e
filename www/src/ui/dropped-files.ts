/** Files that were dropped together, by what is in them. */
export interface DroppedFiles {
  /** Models, or what the loader of models is to name as none. */
  readonly models: readonly File[];
  readonly conversations: readonly File[];
  readonly texts: readonly File[];
}

type Kind = keyof DroppedFiles;

/** First characters of each kind's files. */
const MAGIC: readonly (readonly [beginning: string, kind: Kind])[] = [
  ["GGUF", "models"],
  ["kvsessn\0", "conversations"],
];
/** Endings of files that are damaged where they don't begin so. */
const ENDINGS: readonly (readonly [ending: string, kind: Kind])[] = [
  [".gguf", "models"],
  [".kvsession", "conversations"],
];
/** Bytes that tell a text from other files. */
const LOOKED_AT = 1024;

/** Calls `onFiles` with the files that are dropped anywhere on the page. */
export function wireDrop(onFiles: (dropped: DroppedFiles) => void): void {
  document.addEventListener("dragover", (event) => {
    if (hasFiles(event)) {
      event.preventDefault();
      mark(true);
    }
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) {
      mark(false);
    }
  });
  document.addEventListener("drop", (event) => {
    if (hasFiles(event)) {
      event.preventDefault();
      mark(false);
      // The event's own list is empty once it is over.
      void sorted([...(event.dataTransfer?.files ?? [])]).then(onFiles);
    }
  });
}

async function sorted(files: readonly File[]): Promise<DroppedFiles> {
  const kinds = await Promise.all(files.map(kindOf));
  const of = (kind: Kind): File[] => files.filter((_, index) => kinds[index] === kind);
  return { models: of("models"), conversations: of("conversations"), texts: of("texts") };
}

async function kindOf(file: File): Promise<Kind> {
  // Of what can't be read, the name alone tells; who opens it says what is wrong.
  const bytes = await file
    .slice(0, LOOKED_AT)
    .arrayBuffer()
    .catch(() => new ArrayBuffer());
  const beginning = String.fromCharCode(...new Uint8Array(bytes));
  const name = file.name.toLowerCase();
  const known =
    MAGIC.find(([magic]) => beginning.startsWith(magic)) ??
    ENDINGS.find(([ending]) => name.endsWith(ending));
  if (known !== undefined) {
    return known[1];
  }
  return file.type.startsWith("text/") || (beginning !== "" && !beginning.includes("\0"))
    ? "texts"
    : "models";
}

const hasFiles = (event: DragEvent): boolean =>
  event.dataTransfer?.types.includes("Files") ?? false;

function mark(on: boolean): void {
  document.body.classList.toggle("dropping", on);
}
