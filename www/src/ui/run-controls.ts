import { element } from "./dom.ts";

/** Buttons, status and progress bar of a view that runs something, by the prefix of their ids. */
export class RunControls {
  readonly #run: HTMLButtonElement;
  readonly #stop: HTMLButtonElement;
  readonly #status: HTMLElement;
  readonly #progress: HTMLProgressElement;
  #running = false;
  #ended = "";

  constructor(prefix: string, onRun: () => Promise<void>, onStop: () => void) {
    this.#run = element(`${prefix}-run`, HTMLButtonElement);
    this.#stop = element(`${prefix}-stop`, HTMLButtonElement);
    this.#status = element(`${prefix}-status`, HTMLElement);
    this.#progress = element(`${prefix}-progress`, HTMLProgressElement);
    this.#run.addEventListener("click", () => void this.#go(onRun));
    this.#stop.addEventListener("click", onStop);
  }

  /** Follows the page: whether the model is free, and whether there is one. */
  follow(free: boolean, loaded: boolean): void {
    this.#run.disabled = !free;
    if (!this.#running) {
      const waits = loaded ? "Ready to run." : "Runs once the model is there.";
      this.say(this.#ended === "" ? waits : this.#ended);
    }
  }

  /** Says how far the run is. */
  progress(share: number, text: string): void {
    this.#progress.value = share;
    this.say(text);
  }

  /** Says how the run ended; that stays until the next one. */
  end(text: string): void {
    this.#ended = text;
    this.say(text);
  }

  /** Says something, aloud for those who listen, if it is new. */
  say(text: string): void {
    if (this.#status.textContent !== text) {
      this.#status.textContent = text;
    }
  }

  focus(): void {
    this.#run.focus();
  }

  async #go(onRun: () => Promise<void>): Promise<void> {
    this.#running = true;
    this.#ended = "";
    this.#progress.value = 0;
    this.#stop.disabled = false;
    this.#stop.focus();
    await onRun();
    this.#running = false;
    const hadFocus =
      document.activeElement === this.#stop || document.activeElement === document.body;
    this.#stop.disabled = true;
    if (hadFocus) {
      this.#run.focus({ preventScroll: true });
    }
  }
}
