import type { LoadProgress } from "../protocol.js";
import type { RemotePart } from "../source.js";
import { broken, fetched } from "./fetched.js";

/**
 * Fetches the parts of a model with headers, which the engine's own download has none of. They stay
 * with the browser, and are not kept.
 *
 * @throws {KvscopeError} `"download-failed"`
 */
export async function authorizedFiles(
  parts: readonly RemotePart[],
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  onProgress: (progress: LoadProgress) => void,
): Promise<File[]> {
  const answers = await Promise.all(
    parts.map(async (part) => ({ part, answer: await fetched(part.url, headers, signal) })),
  );
  const lengths = answers.map(({ answer }) => Number(answer.headers.get("content-length") ?? 0));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const totalBytes = lengths.every((length) => length > 0) ? total : undefined;
  let loadedBytes = 0;
  const files: File[] = [];
  for (const { part, answer } of answers) {
    const counted = answer.body?.pipeThrough(
      new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform(bytes, controller) {
          loadedBytes += bytes.length;
          onProgress({ phase: "download", loadedBytes, totalBytes, fromStore: false });
          controller.enqueue(bytes);
        },
      }),
    );
    // oxlint-disable-next-line no-await-in-loop -- one after the other, as the engine reads them
    const blob = await new Response(counted ?? null).blob().catch((cause: unknown) => {
      throw broken(part.url, cause, signal);
    });
    files.push(new File([blob], part.name));
  }
  return files;
}
