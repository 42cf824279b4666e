import { aborted, KvscopeError } from "../error.js";

/**
 * Fetches what an address has, by headers that the engine's own download has none of.
 *
 * @throws {KvscopeError} `"download-failed"` or `"aborted"`
 */
export async function fetched(
  url: string,
  headers: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<Response> {
  const answer = await fetch(url, { headers, ...(signal && { signal }) }).catch(
    (cause: unknown) => {
      throw broken(url, cause, signal);
    },
  );
  if (!answer.ok) {
    const { status } = answer;
    const message = `${url} can't be had (HTTP ${status}): check the address, headers and token.`;
    throw new KvscopeError("download-failed", message, { url, status });
  }
  return answer;
}

/** Creates the error of a fetch that broke off by `cause`, or by its signal. */
export function broken(url: string, cause: unknown, signal?: AbortSignal): KvscopeError {
  return signal?.aborted === true
    ? aborted("The load", signal.reason)
    : new KvscopeError(
        "download-failed",
        `The download from ${url} broke off. Check the connection.`,
        { url },
        { cause },
      );
}
