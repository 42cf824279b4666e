import { create } from "../../ui/dom.ts";
import { bytes, count, duration, percent, rate } from "../../ui/format.ts";
import { compare, type Comparison } from "./output-comparison.ts";
import type { Run } from "./run.ts";

/** One run's column: its text, its figures, and where it first differs from the reference. */
export class OutputView {
  readonly root: HTMLElement;
  readonly #run: Run;
  readonly #state = create("p", "output-state");
  readonly #speed = create("dd", "", "–");
  readonly #held = create("dd", "", "–");
  readonly #tokens = create("dd", "", "–");
  readonly #same = create("dd", "", "–");
  readonly #text = create("div", "output-text");
  readonly #before = new Text();
  readonly #first = new Text();
  readonly #mark = create("mark");
  readonly #after = new Text();
  readonly #difference = create("p", "output-difference quiet");

  #pointedOut = false;
  #shown = "";

  constructor(run: Run) {
    this.#run = run;
    this.root = create("article", `card output ${run.policy.id}`);
    const title = create("h3");
    title.id = `output-${run.policy.id}`;
    title.append(create("i", "swatch"), run.policy.name);
    const facts = create("dl", "output-facts");
    for (const [label, value] of [
      ["tokens/s", this.#speed],
      ["held", this.#held],
      ["tokens", this.#tokens],
      ["agrees", this.#same],
    ] as const) {
      const fact = create("div");
      fact.append(create("dt", "", label), value);
      facts.append(fact);
    }
    this.#text.tabIndex = 0;
    this.#text.setAttribute("role", "region");
    this.#text.setAttribute("aria-label", `Output of ${run.policy.name}`);
    this.#mark.append(this.#first);
    this.#text.append(this.#before, this.#mark, this.#after);
    this.root.setAttribute("aria-labelledby", title.id);
    this.root.append(
      title,
      create("p", "output-rule quiet", run.policy.rule),
      facts,
      this.#text,
      this.#difference,
      this.#state,
    );
  }

  /**
   * Shows the run as far as it has come, against `reference`; the reference itself against `first`.
   * `begun`: whether any run has begun.
   */
  update(reference: Run | undefined, first: Run | undefined, begun: boolean): void {
    const run = this.#run;
    // Called for every column at every token, and most tokens change one column only. Reading the
    // size of another would lay out the page again.
    const versions = [run, reference, first].map((of) => `${of?.state} ${of?.pieces.length}`);
    const shown = [
      ...versions,
      run.prefilled,
      run.usage === undefined,
      run.grades?.length,
      begun,
    ].join(" ");
    if (shown === this.#shown) {
      return;
    }
    this.#shown = shown;
    // Asked only where it matters: the answer takes a layout.
    const atEnd =
      run.running && this.#text.scrollHeight - this.#text.scrollTop - this.#text.clientHeight < 40;
    this.#state.textContent = begun ? stateOf(run) : "Not run yet.";
    const speed = run.usage?.decodeTokensPerSecond ?? run.tokensPerSecond;
    this.#speed.textContent = speed > 0 ? rate(speed) : "–";
    this.#held.textContent = run.kv === undefined ? "–" : bytes(run.kv.heldBytes);
    this.#tokens.textContent = run.pieces.length === 0 ? "–" : count(run.pieces.length);
    const other = run === reference ? first : reference;
    const shared =
      other === undefined || other === run ? 0 : Math.min(run.pieces.length, other.pieces.length);
    const comparison =
      other === undefined || shared === 0 ? undefined : compare(run.pieces, other.pieces);
    this.#showText(comparison);
    this.#showAgreement(run === reference ? undefined : reference, comparison);
    if (run.running) {
      this.#text.scrollTop = atEnd ? this.#text.scrollHeight : this.#text.scrollTop;
    } else if (!this.#mark.hidden && other?.running === false && !this.#pointedOut) {
      // Both texts are there: the place where they part is what there is to see.
      this.#pointedOut = true;
      this.#text.scrollTop =
        this.#mark.offsetTop - this.#text.offsetTop - this.#text.clientHeight / 3;
    }
  }

  #showText(comparison: Comparison | undefined): void {
    const { pieces, text } = this.#run;
    const same = comparison?.differs === true ? comparison.sameCharacters : text.length;
    const piece = comparison?.differs === true ? (pieces[comparison.sameTokens] ?? "") : "";
    setText(this.#before, text.slice(0, same));
    setText(this.#first, piece);
    setText(this.#after, text.slice(same + piece.length));
    this.#mark.hidden = piece === "";
  }

  /** `reference` is none where the run is that itself. */
  #showAgreement(reference: Run | undefined, comparison: Comparison | undefined): void {
    const { agreement = 0, sameTokens = 0, differs = false } = comparison ?? {};
    this.#same.textContent =
      reference === undefined || comparison === undefined ? "–" : percent(agreement);
    const name = reference?.policy.name;
    if (name === undefined) {
      this.#difference.textContent = "The others are compared with this.";
    } else if (comparison === undefined) {
      this.#difference.textContent = "";
    } else {
      const same = `${count(sameTokens)} ${sameTokens === 1 ? "token" : "tokens"}`;
      this.#difference.textContent = differs
        ? `The same as ${name} for ${same}; from the marked one on it is another text.`
        : `The same as ${name} as far as both go.`;
    }
  }
}

/** Sets text, by appending what is new where that is enough: a selection before it stays. */
function setText(node: Text, text: string): void {
  if (text.startsWith(node.data)) {
    node.appendData(text.slice(node.length));
  } else {
    node.data = text;
  }
}

function gradesOf({ grades }: Run): string {
  return grades === undefined
    ? ""
    : `${count(grades.filter(Boolean).length)} of ${count(grades.length)} lines right. `;
}

function stateOf(run: Run): string {
  const [done, of] = run.prefilled;
  const times =
    run.usage === undefined
      ? ""
      : ` Prompt of ${count(run.usage.promptTokens)} tokens in ${duration(run.usage.prefillMs)}.`;
  switch (run.state) {
    case "waiting":
      return "Waits for its turn.";
    case "prefill":
      return of === 0
        ? "Reads the prompt."
        : `Reads the prompt: ${count(done)} of ${count(of)} tokens.`;
    case "decode":
      return "Writes.";
    case "done":
      return (
        gradesOf(run) +
        (run.finish === "length" ? "Ended at the longest output." : "Ended by itself.") +
        times
      );
    case "stopped":
      return `Stopped; what came stays.${times}`;
    default:
      return run.problem?.title ?? "Failed.";
  }
}
