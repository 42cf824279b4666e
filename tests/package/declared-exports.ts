import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Names that a package's declarations export. */
export interface DeclaredExports {
  /** Those of values: classes, functions and constants. */
  readonly values: ReadonlySet<string>;
  /** All, with those of types. */
  readonly names: ReadonlySet<string>;
}

const DECLARED =
  /^export (?:declare )?(?:abstract )?(class|const|enum|function|interface|namespace|type) (\w+)/gm;
const LISTED = /^export (type )?\{([^}]*)\}(?: from ['"]([^'"]+)['"])?/gm;
const ALL = /^export (type )?\* from ['"]([^'"]+)['"]/gm;
const VALUES = new Set(["class", "const", "enum", "function"]);

/** Reads the names that a file of declarations exports, and those of the files that it names. */
export async function declaredExports(file: string): Promise<DeclaredExports> {
  const kinds = await exportsOf(file);
  const values = [...kinds].filter(([, isValue]) => isValue).map(([name]) => name);
  return { values: new Set(values), names: new Set(kinds.keys()) };
}

/** Names of a file's exports, each with whether it is a value. */
async function exportsOf(file: string): Promise<Map<string, boolean>> {
  const text = await readFile(file, "utf8");
  const found = new Map<string, boolean>();
  const add = (name: string, isValue: boolean): unknown =>
    found.set(name, isValue || found.get(name) === true);
  for (const [, kind = "", name = ""] of text.matchAll(DECLARED)) {
    add(name, VALUES.has(kind));
  }
  for (const [, onlyTypes, list = "", from] of text.matchAll(LISTED)) {
    const inner = from === undefined ? found : await exportsOf(await fileOf(file, from));
    for (const entry of list.split(",").map((part) => part.trim())) {
      const [, isType, name = "", as = name] = /^(type )?(\w+)(?: as (\w+))?$/.exec(entry) ?? [];
      if (name !== "") {
        add(as, onlyTypes === undefined && isType === undefined && inner.get(name) === true);
      }
    }
  }
  for (const [, onlyTypes, from = ""] of text.matchAll(ALL)) {
    for (const [name, isValue] of await exportsOf(await fileOf(file, from))) {
      if (name !== "default") {
        add(name, onlyTypes === undefined && isValue);
      }
    }
  }
  return found;
}

/** File of declarations that `from` names in `file`. */
async function fileOf(file: string, from: string): Promise<string> {
  const path = join(dirname(file), from.replace(/\.js$/, ""));
  return readFile(`${path}.d.ts`).then(
    () => `${path}.d.ts`,
    () => join(path, "index.d.ts"),
  );
}
