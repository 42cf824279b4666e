import { KvscopeError } from "./error.js";

/** Browsers with WebGPU on by default, with their first such release. */
const BROWSERS_WITH_WEBGPU: readonly string[] = [
  "Chrome or Edge 113 (Windows, macOS, ChromeOS), 121 (Android), 144 (Linux, newer Intel GPUs)",
  "Safari 26 (macOS, iOS, iPadOS, visionOS)",
  "Firefox 141 (Windows), 145 (macOS on Apple silicon)",
];

/**
 * Checks that there is a WebGPU, before megabytes are fetched for nothing.
 *
 * @throws {KvscopeError} `"webgpu-unavailable"`, with `details.secureContext` and
 *   `details.browsers`
 */
export function requireWebGpu(): void {
  // Absent outside browsers too: importing this package in Node, say to render a page there, does
  // no harm.
  if (globalThis.navigator !== undefined && "gpu" in globalThis.navigator) {
    return;
  }
  const secureContext = globalThis.isSecureContext ?? true;
  const message = secureContext
    ? `This browser has no WebGPU. These have it: ${BROWSERS_WITH_WEBGPU.join("; ")}.`
    : "Browsers offer WebGPU only to pages served over https:// or from localhost. Open this page that way.";
  throw new KvscopeError("webgpu-unavailable", message, {
    secureContext,
    browsers: BROWSERS_WITH_WEBGPU,
  });
}
