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

  /** Makes a session the most recently used. False if it holds nothing. */
  touch(session: Session): boolean {
    const bytes = this.#bytes.get(session.number);
    if (bytes === undefined) {
      return false;
    }
    this.#bytes.delete(session.number);
    this.#bytes.set(session.number, bytes);
    return true;
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
  account(session: Session | undefined, bytes: number): readonly number[] {
    const latest = session?.number ?? NONE;
    this.#bytes.delete(latest);
    this.#bytes.set(latest, bytes);
    let held = 0;
    for (const each of this.#bytes.values()) {
      held += each;
    }
    const freed: number[] = [];
    for (const [number, each] of this.#bytes) {
      if (held <= this.#budget || number === latest) {
        break;
      }
      held -= each;
      this.#bytes.delete(number);
      freed.push(number);
      const owner = this.#open.find((open) => open.number === number);
      if (owner !== undefined) {
        // A caller's exception is not to end what runs here.
        queueMicrotask(() => this.#onGivenUp?.(owner));
      }
    }
    return freed;
  }

  /** Notes that requests without a session hold nothing any more. */
  forget(): void {
    this.#bytes.delete(NONE);
  }
}
