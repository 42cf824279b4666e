import { KvscopeError, type DeviceLoss, type KvscopeErrorCode } from "kvscope";

/** Text for a problem. */
export interface ProblemText {
  readonly title: string;
  readonly message: string;
  /** Steps for the reader to take, a line each. */
  readonly advice: readonly string[];
}

const DRIVER = [
  "Switch hardware acceleration on in the browser's settings.",
  "Update the browser and the graphics driver.",
];
const GPU = ["Close other pages that use the GPU, then try again.", ...DRIVER];
const CONNECTION = [
  "Check the connection and the address, then try again: what was fetched is kept.",
];
const FILE = [
  "kvscope reads GGUF files of Llama-like models, such as SmolLM2. " +
    "Fetch the file again, or choose another.",
];
const VALUES = ["A preset in the settings brings back values that fit together."];
const STORAGE = [
  "Delete stored models below “Use another model”, or saved conversations in the chat.",
  "Free space on this device.",
];
const OWN_FAULT = ["This should not happen. Reload the page; if it comes again, please report it."];

type Kind = readonly [title: string, advice: readonly string[]];
const MALFORMED: Kind = ["This is not a model that kvscope can read", FILE];
const CACHE: Kind = ["The cache failed", OWN_FAULT];

/** A title for every code, and what can be done. The message itself says what happened. */
const KINDS: Record<KvscopeErrorCode, Kind> = {
  "webgpu-unavailable": ["No WebGPU here", []],
  "adapter-unavailable": ["No GPU was offered", DRIVER],
  "limit-too-small": [
    "This GPU is too small",
    ["Choose a smaller model, or open this page on another machine."],
  ],
  "device-request-failed": ["The GPU could not be opened", DRIVER],
  "device-lost": ["The GPU went away", GPU],
  "gpu-failure": ["The GPU failed", GPU],
  "module-load-failed": ["A part of kvscope did not load", CONNECTION],
  "worker-failed": ["A part of kvscope did not load", CONNECTION],
  aborted: ["Stopped", []],
  cancelled: ["Stopped", []],
  "engine-disposed": ["The model is not loaded any more", ["Load it again."]],
  "engine-busy": ["The model is busy", ["Wait until the run before has ended."]],
  "invalid-argument": ["This was asked wrongly", VALUES],
  "invalid-config": ["These settings do not fit together", VALUES],
  "download-failed": ["The model could not be fetched", CONNECTION],
  "model-not-found": ["There is no such model", ["Check the name, or choose another model."]],
  "model-checksum": ["The model arrived damaged", ["Try again: it is fetched anew."]],
  "model-malformed": MALFORMED,
  "model-truncated": [
    "The model's file ends too early",
    ["Fetch the file again: a part of it is missing."],
  ],
  "model-unsupported": ["This model is of a kind that kvscope does not run", FILE],
  "model-read": [
    "The model's file could not be read",
    ["Choose the file again: it may have moved or changed."],
  ],
  "tokenizer-malformed": MALFORMED,
  "tokenizer-unsupported": ["This model's tokenizer is not supported", FILE],
  "tokenizer-failed": ["The prompt could not be read", OWN_FAULT],
  "chat-template": [
    "This model's chat template failed",
    ["Choose a model that was made for instructions."],
  ],
  "prompt-empty": ["There is no prompt", ["Write one."]],
  "prompt-too-long": ["The prompt is too long", ["Shorten the prompt."]],
  "logits-invalid": ["The model's numbers went wrong", GPU],
  "logits-read": ["The GPU failed", GPU],
  "storage-full": ["There is no room to keep this", STORAGE],
  "storage-failed": ["The browser could not store this", STORAGE],
  "storage-busy": [
    "Another tab is using the stored model",
    ["Close the other tab, or wait for it."],
  ],
  "session-closed": ["This conversation was closed", ["Open it again, or begin a new one."]],
  "session-not-found": [
    "There is no such conversation",
    ["It may have been deleted in another tab."],
  ],
  "session-model": [
    "This conversation is another model's",
    ["Load the model that it was held with, then open it again."],
  ],
  "session-version": [
    "Another version of kvscope saved this conversation",
    ["Open it with that version, or begin a new one."],
  ],
  "session-corrupt": [
    "This is not a saved conversation, or a damaged one",
    ["Choose another file: kvscope's end in .kvsession."],
  ],
  "cache-shape": CACHE,
  "cache-type": CACHE,
  "cache-device": CACHE,
  "cache-layer": CACHE,
  "cache-prefill-open": CACHE,
  "cache-no-prompt": CACHE,
  "cache-window": CACHE,
  "cache-too-long": ["The sequence became too long", ["Ask for fewer tokens."]],
  "cache-not-finite": [
    "The model's numbers went wrong",
    ["Choose another storage type, or load the model again: its file may be damaged."],
  ],
  "cache-corrupt": CACHE,
  "cache-version": CACHE,
  "cache-read": ["The GPU failed", GPU],
};

/** The text for whatever loading or generating threw. */
export function describeError(error: unknown): ProblemText {
  if (!(error instanceof KvscopeError)) {
    return { title: "Something went wrong", message: String(error), advice: OWN_FAULT };
  }
  const [title, advice] = KINDS[error.code];
  return {
    title,
    message: error.message,
    advice: error.code === "webgpu-unavailable" ? webGpuAdvice(error) : advice,
  };
}

/** The text for a GPU that is gone. */
export function describeLoss(loss: DeviceLoss): ProblemText {
  const reason = loss.message || "it gave no reason";
  return {
    title: KINDS["device-lost"][0],
    message: `The browser took the device away: ${reason}. What was written stays.`,
    advice: GPU,
  };
}

function webGpuAdvice(error: KvscopeError): readonly string[] {
  return error.details["secureContext"] === false
    ? []
    : [
        "Update this browser, or open this page in one of those.",
        "On iPhone and iPad every browser needs iOS 26.",
      ];
}
