import type { LoadedModel } from "../../engine.ts";
import type { Pictured } from "../prompt/retained-picture.ts";
import type { Conversation } from "./conversation.ts";

/** Positions that each turn retained, or those of the document, as the picture shows them. */
export function picturedOf(
  { turns, document }: Pick<Conversation, "turns" | "document">,
  windows: LoadedModel["windows"],
): Pictured {
  if (document !== undefined) {
    const { held } = document;
    return {
      snapshots: held === undefined ? [] : [held.snapshot],
      windows,
      tokenAt: (position) => held?.texts[position],
      isRead: () => true,
    };
  }
  const texts = turns.findLast(({ tokens }) => tokens.length > 0)?.tokens ?? [];
  const answers = turns.flatMap(({ answersFrom, written }) =>
    answersFrom === undefined ? [] : [{ from: answersFrom, to: answersFrom + written }],
  );
  return {
    snapshots: turns.flatMap(({ snapshot }) => snapshot ?? []),
    windows,
    tokenAt: (position) => texts[position],
    isRead: (position) => answers.every(({ from, to }) => position < from || position >= to),
  };
}
