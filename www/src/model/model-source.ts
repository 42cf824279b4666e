import type { ModelSource } from "../engine.ts";

const HUB = "https://huggingface.co/";
/** `owner/repo/path/to/file.gguf`, with an `@revision` after the repository if wanted. */
const REPOSITORY_FILE = /^([\w.-]+\/[\w.-]+?)(?:@([\w./-]+?))?[/:](.+\.gguf)$/i;
/** A file's page or download on the hub. */
const HUB_ADDRESS = /^([\w.-]+\/[\w.-]+)\/(?:blob|resolve)\/([^/]+)\/(.+?)(?:\?.*)?$/;

/** Source named in the model's field, as the package takes it; `undefined` if it is malformed. */
export function readModelSource(written: string, page: string): ModelSource | undefined {
  const text = written.trim();
  if (text.startsWith(HUB)) {
    const [, repo, revision, file] = HUB_ADDRESS.exec(text.slice(HUB.length)) ?? [];
    if (repo !== undefined && revision !== undefined && file !== undefined) {
      return { repo, file: decodeURIComponent(file), revision };
    }
  }
  if (/^https?:\/\//i.test(text) || /^\.{0,2}\//.test(text)) {
    return URL.canParse(text, page) ? new URL(text, page).href : undefined;
  }
  const [, repo, revision, file] = REPOSITORY_FILE.exec(text) ?? [];
  if (repo === undefined || file === undefined) {
    return undefined;
  }
  return revision === undefined ? { repo, file } : { repo, file, revision };
}
