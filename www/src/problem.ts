import { KvscopeError, type DeviceLoss, type KvscopeErrorCode } from "kvscope";

/** What the page says when something is in the way. */
export interface ProblemText {
  readonly title: string;
  readonly message: string;
  /** What the reader can do about it, a line each. */
  readonly advice: readonly string[];
}

const TITLES: Record<KvscopeErrorCode, string> = {
  "webgpu-unavailable": "No WebGPU here",
  "adapter-unavailable": "No GPU was offered",
  "limit-too-small": "This GPU is too small",
  "device-request-failed": "The GPU could not be opened",
  "device-lost": "The GPU went away",
  "invalid-argument": "Something here was asked wrongly",
  "gpu-failure": "The GPU failed",
  "module-load-failed": "A part of kvscope did not load",
};

const DRIVER_ADVICE = [
  "Switch hardware acceleration on in the browser's settings.",
  "Update the browser and the graphics driver.",
];

/** The text for whatever opening or computing threw. */
export function describeError(error: unknown): ProblemText {
  if (!(error instanceof KvscopeError)) {
    return { title: "Something went wrong", message: String(error), advice: [] };
  }
  return { title: TITLES[error.code], message: error.message, advice: adviceFor(error) };
}

/** The text for a GPU that is gone. */
export function describeLoss(loss: DeviceLoss): ProblemText {
  return loss.reason === "destroyed"
    ? { title: "The GPU was released", message: "Its memory was given back. It can be opened again.", advice: [] }
    : {
        title: TITLES["device-lost"],
        message: `The browser took the device away: ${loss.message || "it gave no reason"}.`,
        advice: ["Close other pages that use the GPU, then try again.", ...DRIVER_ADVICE],
      };
}

function adviceFor(error: KvscopeError): readonly string[] {
  switch (error.code) {
    case "webgpu-unavailable":
      return error.details["secureContext"] === false
        ? []
        : ["Update this browser, or open this page in one of those.", "On iPhone and iPad every browser needs iOS 26."];
    case "adapter-unavailable":
    case "device-request-failed":
    case "gpu-failure":
      return DRIVER_ADVICE;
    case "limit-too-small":
      return ["Open this page on a machine with another GPU."];
    default:
      return [];
  }
}
