import type { LoadProgress } from "../protocol.js";

/** Share of a load that is done: from 0 to 1, and never less than before. */
export class LoadShare {
  #share = 0;

  /** Share at `progress`. */
  at({ phase, loadedBytes, totalBytes }: LoadProgress): number {
    if (phase === "ready") {
      this.#share = 1;
    } else if (totalBytes !== undefined && totalBytes > 0) {
      // A download that begins again, or a length told wrong, would let it fall or pass 1.
      this.#share = Math.max(this.#share, Math.min(1, loadedBytes / totalBytes));
    }
    return this.#share;
  }
}
