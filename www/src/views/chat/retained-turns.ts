import type { LoadedModel } from "../../engine.ts";
import type { Pictured } from "../prompt/retained-picture.ts";
import type { Turn } from "./turn.ts";

/** Positions that each turn retained, as the picture shows them. */
export function picturedOf(turns: readonly Turn[], windows: LoadedModel["windows"]): Pictured {
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
