import { Engine } from "../engine.js";
import { LoadShare } from "../peers/load-share.js";
import type { LoadProgress } from "../protocol.js";
import type { ModelSource } from "../source.js";
import { toWllamaError } from "./error.js";
import type { DownloadOptions, DownloadProgressCallback } from "./load-params.js";

/**
 * Downloads a model and keeps it. It is loaded onto the GPU for that, and freed again: whether a
 * file is a model shows there.
 *
 * @throws {WllamaError} as a load
 */
export async function download(
  source: ModelSource,
  { progressCallback, signal }: DownloadOptions,
): Promise<void> {
  const report = progressReports(progressCallback);
  try {
    const engine = await Engine.load(source, { onProgress: report, ...(signal && { signal }) });
    engine.dispose();
  } catch (error) {
    throw toWllamaError(error, "download_error");
  }
}

/** Returns what tells `callback` of the progress of a load that begins now. */
export function progressReports(
  callback: DownloadProgressCallback | undefined,
): (progress: LoadProgress) => void {
  const share = new LoadShare();
  return (progress) => {
    const { totalBytes: total } = progress;
    const done = share.at(progress);
    if (total !== undefined) {
      callback?.({ loaded: done === 1 ? total : Math.floor(done * total), total });
    }
  };
}
