import { element } from "../../ui/dom.ts";
import { bytes, count, percent } from "../../ui/format.ts";
import { MemoryChart } from "../prompt/memory-chart.ts";
import type { Conversation } from "./conversation.ts";

/** The memory of a conversation against a full cache: as a share, and as it grew. */
export class ChatMemory {
  readonly #chart = new MemoryChart(
    element("chat-chart", HTMLElement),
    element("chat-chart-legend", HTMLElement),
  );

  /** Shows the branch that is shown, token by token. */
  show({ policy, turns, document }: Conversation): void {
    // Each question about a document begins where that ends.
    const drawn = document === undefined ? turns : turns.slice(-1);
    this.#chart.show([{ policy, memory: drawn.flatMap(({ memory }) => memory), wanted: 0 }]);
    const kv = turns.findLast((turn) => turn.kv !== undefined)?.kv ?? document?.held?.kv;
    const usage = turns.findLast((turn) => turn.usage !== undefined)?.usage;
    const saved = element("chat-saved", HTMLOutputElement);
    const share = kv === undefined || kv.fullBytes === 0 ? undefined : kv.heldBytes / kv.fullBytes;
    saved.value = share === undefined ? "–" : percent(Math.max(0, 1 - share));
    saved.classList.toggle("nothing", share === undefined);
    const facts = {
      "chat-held": kv && bytes(kv.heldBytes),
      "chat-full": kv && bytes(kv.fullBytes),
      "chat-tokens": usage && count(usage.promptTokens + usage.newTokens),
      "chat-cached": usage && count(usage.cachedTokens),
      "chat-computed": usage && count(usage.promptTokens - usage.cachedTokens + usage.newTokens),
    };
    for (const [id, text] of Object.entries(facts)) {
      element(id, HTMLElement).textContent = text ?? "–";
    }
  }
}
