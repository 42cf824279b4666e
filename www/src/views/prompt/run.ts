import type { FinishReason, KvReport, RunUsage } from "../../engine.ts";
import type { Policy } from "../../settings/policy.ts";
import type { ProblemText } from "../../ui/problem.ts";
import type { Snapshot } from "./retained-history.ts";

export type RunState = "waiting" | "prefill" | "decode" | "done" | "stopped" | "failed";

/** The cache after a token. */
export interface MemoryPoint {
  /** New tokens in it. */
  readonly tokens: number;
  readonly held: number;
  readonly full: number;
}

/** One policy's run over a prompt, as far as it has come. */
export class Run {
  state: RunState = "waiting";
  /** Tokens of the prompt that are done, and all of them. */
  prefilled: readonly [done: number, of: number] = [0, 0];
  /** The text of each token; put together, the output. */
  readonly pieces: string[] = [];
  readonly memory: MemoryPoint[] = [];
  /** Retained positions, from the first steps to the last. */
  readonly snapshots: Snapshot[] = [];
  /** The text of each of the prompt's tokens. */
  promptTokens: readonly string[] = [];
  /** Per layer, the newest positions that it sees and holds; none if it sees all. */
  windows: readonly (number | undefined)[] = [];
  kv: KvReport | undefined;
  usage: RunUsage | undefined;
  finish: FinishReason | undefined;
  /** Grade of each line, if the prompt was a program. */
  grades: readonly boolean[] | undefined;
  problem: ProblemText | undefined;
  /** New tokens per second, measured here while the run goes on. */
  tokensPerSecond = 0;
  #firstTokenAt = 0;

  constructor(
    readonly policy: Policy,
    /** Tokens asked for. */
    readonly wanted: number,
  ) {}

  get text(): string {
    return this.pieces.join("");
  }

  get running(): boolean {
    return this.state === "prefill" || this.state === "decode";
  }

  /** A token has come. */
  push(piece: string, kv: KvReport, now: number): void {
    this.state = "decode";
    this.kv = kv;
    // What is reported with a token is the cache before that token is in it.
    this.memory.push({ tokens: this.pieces.length, held: kv.heldBytes, full: kv.fullBytes });
    this.pieces.push(piece);
    if (this.pieces.length === 1) {
      this.#firstTokenAt = now;
    } else {
      this.tokensPerSecond =
        (1000 * (this.pieces.length - 1)) / Math.max(1, now - this.#firstTokenAt);
    }
  }

  /** Text that came after the last token's. */
  append(rest: string): void {
    const last = this.pieces.length - 1;
    if (last >= 0) {
      this.pieces[last] += rest;
    }
  }

  /** The text of the token at a position of the whole sequence, where it is known. */
  readonly tokenAt = (position: number): string | undefined => {
    const length = this.prefilled[1];
    return position < length ? this.promptTokens[position] : this.pieces[position - length];
  };

  /** True if the token at a position is the prompt's. */
  readonly isRead = (position: number): boolean => position < this.prefilled[1];

  /** The share of a full f16 cache's bytes that this run does not need, now. */
  get saved(): number | undefined {
    return this.kv === undefined || this.kv.fullBytes === 0
      ? undefined
      : 1 - this.kv.heldBytes / this.kv.fullBytes;
  }
}
