import type { LoadedModel } from "../engine.ts";

/** What a view that runs something asks of the page, which has one model and one GPU. */
export interface Host {
  /** The model's name, as the page shows it. */
  readonly modelName: () => string;
  /** The loaded model, if there is one. */
  readonly model: () => LoadedModel | undefined;
  /**
   * Has `work` done with the model, and nothing else beside it, until it ends or `signal` ends it. What it throws the page
   * shows.
   */
  readonly occupy: (work: (model: LoadedModel, signal: AbortSignal) => Promise<void>) => Promise<void>;
  /** Ends what is being done. */
  readonly stop: () => void;
}
