import { LoadShare } from "../peers/load-share.js";
import type { LoadProgress } from "../protocol.js";

/** WebLLM's report of a load. */
export interface InitProgressReport {
  /** Progress from 0 to 1. It never falls. */
  progress: number;
  /** Seconds since the load began. */
  timeElapsed: number;
  /** Text for people. */
  text: string;
}

/** WebLLM's type of a function that is told of a load. */
export type InitProgressCallback = (report: InitProgressReport) => void;

const PHASES: Readonly<Record<LoadProgress["phase"], string>> = {
  module: "Fetching the WebAssembly module",
  gpu: "Opening the GPU",
  wait: "Waiting for another tab that downloads the same model",
  download: "Downloading the model",
  load: "Loading the model",
  finish: "Finishing",
  ready: "Ready",
};

/** Returns what turns the progress of a load that begins now to WebLLM's reports. */
export function initReports(): (progress: LoadProgress) => InitProgressReport {
  const started = performance.now();
  const share = new LoadShare();
  return (progress) => {
    const { phase, loadedBytes } = progress;
    const megabytes = loadedBytes === 0 ? "" : `: ${Math.round(loadedBytes / 1e6)} MB`;
    return {
      progress: share.at(progress),
      timeElapsed: (performance.now() - started) / 1000,
      text: `${PHASES[phase]}${megabytes}`,
    };
  };
}
