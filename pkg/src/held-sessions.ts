import type { Session } from "./session.js";

/** Number of the session of requests without one. */
const NONE = 0;

/** The open sessions of an engine, and the bytes that they hold, within a budget. */
export class HeldSessions {
  readonly #open: Session[] = [];
  /** Bytes by the number of a session, the least recently used first. */
  readonly #bytes = new Map<number, number>();
  readonly #budget: number;
  readonly #onGivenUp: ((session: Session) => void) | undefined;

  /** Creates it without a session. Without a `budget` nothing is ever given up. */
  constructor(budget: number | undefined, onGivenUp: ((session: Session) => void) | undefined) {
    this.#budget = budget ?? Number.POSITIVE_INFINITY;
    this.#onGivenUp = onGivenUp;
  }

  /** The open sessions, the oldest first. */
  get open(): readonly Session[] {
    return [...this.#open];
  }

  /** Adds a session that holds nothing. */
  add(session: Session): void {
    this.#open.push(session);
  }

  /** Bytes that a session was last noted to hold. */
  bytesOf(session: Session): number {
    return this.#bytes.get(session.number) ?? 0;
  }

  /** Removes a session that is closed. */
  remove(session: Session): void {
    this.#bytes.delete(session.number);
    const index = this.#open.indexOf(session);
    if (index !== -1) {
      this.#open.splice(index, 1);
    }
  }

  /**
   * Notes the bytes that a session has come to hold; without one, those of other requests. Returns
   * the numbers of the sessions whose caches are to be freed.
   */
  note(session: Session | undefined, bytes: number): readonly number[] {
    const latest = session?.number ?? NONE;
    this.#bytes.delete(latest);
    this.#bytes.set(latest, bytes);
    let held = 0;
    for (const each of this.#bytes.values()) {
      held += each;
    }
    const given: number[] = [];
    for (const [number, each] of this.#bytes) {
      if (held <= this.#budget || number === latest) {
        break;
      }
      held -= each;
      this.#bytes.delete(number);
      given.push(number);
      const owner = this.#open.find((open) => open.number === number);
      if (owner !== undefined) {
        this.#onGivenUp?.(owner);
      }
    }
    return given;
  }
}
