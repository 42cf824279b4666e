import type { FinishReason, KvReport, TurnUsage } from "../../engine.ts";
import type { MemoryPoint } from "../prompt/run.ts";
import type { Snapshot } from "../prompt/retained-history.ts";

export type TurnState = "reading" | "writing" | "done" | "stopped" | "saved";

let count = 0;

/** A question of the reader's and the model's answer, as far as it has come. */
export class Turn {
  /** Its place in the order in which all turns were begun. */
  readonly number = (count += 1);
  /** A turn of a saved conversation has a text, and no figures. */
  state: TurnState = "reading";
  answer = "";
  finish: FinishReason | undefined;
  /** Tokens that are read, and all that there are to read. */
  read: readonly [done: number, of: number] = [0, 0];
  /** Tokens written. */
  written = 0;
  /** Bytes of the cache, and of a full f16 one. */
  kv: Pick<KvReport, "heldBytes" | "fullBytes"> | undefined;
  usage: TurnUsage | undefined;
  /** Bytes of the cache, token by token of the answer. */
  readonly memory: MemoryPoint[] = [];
  /** Positions held at its end. */
  snapshot: Snapshot | undefined;
  /** Position of the answer's first token. */
  answersFrom: number | undefined;
  /** Text of the conversation's tokens at its end. */
  tokens: readonly string[] = [];

  constructor(
    readonly question: string,
    /** Name of the model that answers. */
    readonly model: string,
  ) {}

  get running(): boolean {
    return this.state === "reading" || this.state === "writing";
  }

  /** Takes a token of the answer; `kv` is the cache before that token is in it. */
  push(text: string, position: number, kv: KvReport): void {
    this.state = "writing";
    this.answersFrom ??= position;
    this.answer += text;
    this.written += 1;
    this.kv = kv;
    this.memory.push({ tokens: position, held: kv.heldBytes, full: kv.fullBytes });
  }
}
