import { element } from "../../ui/dom.ts";
import type { Conversation } from "./conversation.ts";
import { TurnView, type TurnWishes } from "./turn-view.ts";
import type { Turn } from "./turn.ts";

/** Distance from the end, in pixels, within which the newest text is followed. */
const NEAR = 60;

const log = element("chat-log", HTMLElement);
const list = element("chat-turns", HTMLOListElement);
const empty = element("chat-empty", HTMLElement);
const untaught = element("chat-untaught", HTMLElement);

/** The turns of the branch that is shown, one below the other. */
export class Transcript {
  readonly #wishes: TurnWishes;
  readonly #views = new WeakMap<Turn, TurnView>();

  constructor(wishes: TurnWishes) {
    this.#wishes = wishes;
  }

  /**
   * Shows a conversation as far as it has come. `free` tells whether the model is there to answer,
   * `knowsTurns` whether it could.
   */
  show(conversation: Conversation, free: boolean, knowsTurns: boolean): void {
    const { turns } = conversation;
    const views = turns.map((turn) => this.viewOf(turn));
    // Asked before anything changes; the answer takes a layout.
    const running = turns.at(-1)?.running === true;
    const ran = log.ariaBusy === "true";
    const follows = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
    const grew = replaceFromFirstChange(views);
    const most = Math.max(1, ...turns.map(({ kv }) => kv?.fullBytes ?? 0));
    views.forEach((view, index) => {
      const alternatives = conversation.alternatives(index);
      view.update({ number: index + 1, alternatives, most, free });
    });
    const hasOpening = conversation.current.beginning.messages.length > 0;
    empty.hidden = !conversation.isEmpty || hasOpening || !knowsTurns;
    untaught.hidden = knowsTurns;
    // Read out as a whole once it is there, not token by token.
    log.ariaBusy = String(running);
    if (grew || ((running || ran) && follows)) {
      log.scrollTop = log.scrollHeight;
    }
  }

  /** The view of a turn. */
  viewOf(turn: Turn): TurnView {
    const view = this.#views.get(turn) ?? new TurnView(turn, this.#wishes);
    this.#views.set(turn, view);
    return view;
  }
}

/** Puts up views, without moving those that stay: they may have the keyboard's place. */
function replaceFromFirstChange(views: readonly TurnView[]): boolean {
  const roots = views.map(({ root }) => root);
  const first = roots.findIndex((root, index) => list.children[index] !== root);
  const kept = first < 0 ? roots.length : first;
  for (const gone of [...list.children].slice(kept)) {
    gone.remove();
  }
  list.append(...roots.slice(kept));
  return first >= 0;
}
