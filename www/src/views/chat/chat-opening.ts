import { create, element } from "../../ui/dom.ts";
import { bytes, count, percent } from "../../ui/format.ts";
import type { DocumentHeld } from "./chat-document.ts";
import type { Conversation } from "./conversation.ts";

type Part = readonly [title: string, text: string, about: string];

/** Characters that are shown of a document, and read out. */
const SHOWN = 240;

const opening = element("chat-opening", HTMLElement);
let shown = "";

/** Shows what a conversation begins with: the system message, and the document with its figures. */
export function showOpening({ current: { beginning }, document }: Conversation): void {
  const parts = beginning.messages.map(({ content }): Part => ["System message", content, ""]);
  if (document !== undefined) {
    parts.push(["Document", beginningOf(document.text), aboutHeld(document.held)]);
  }
  const now = JSON.stringify(parts);
  if (now !== shown) {
    shown = now;
    opening.replaceChildren(...parts.map(partOf));
    opening.hidden = parts.length === 0;
  }
}

function partOf([title, text, about]: Part): HTMLElement {
  const part = create("div", "said");
  part.append(create("h3", "", title), create("p", "said-text", text));
  if (about !== "") {
    part.append(create("p", "hint turn-facts", about));
  }
  return part;
}

function beginningOf(text: string): string {
  const start = text.trim();
  return start.length > SHOWN ? `${start.slice(0, SHOWN).trimEnd()}…` : start;
}

/** Says how long a document is, and what is held of it. */
function aboutHeld(held: DocumentHeld | undefined): string {
  if (held === undefined) {
    return "";
  }
  const { tokens, positions, slots, kv } = held;
  const [fewest, most] = slots.map(count);
  const range = fewest === most ? most : `${fewest} to ${most}`;
  const saved = percent(Math.max(0, 1 - kv.heldBytes / kv.fullBytes));
  return [
    `${count(tokens)} tokens.`,
    `Each head holds ${range} of ${count(positions)} positions read.`,
    `${bytes(kv.heldBytes)} held, a full f16 cache ${bytes(kv.fullBytes)}: ${saved} saved.`,
  ].join(" ");
}
