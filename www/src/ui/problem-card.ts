import { create, element } from "./dom.ts";
import type { ProblemText } from "./problem.ts";

const card = element("problem", HTMLElement);
const tryAgain = element("try-again", HTMLButtonElement);
let again: (() => void) | undefined;

/** Shows what is in the way. `retry` is what the card's button does; without it there is none. */
export function showProblem({ title, message, advice }: ProblemText, retry?: () => void): void {
  element("problem-title", HTMLElement).textContent = title;
  element("problem-message", HTMLElement).textContent = message;
  element("problem-advice", HTMLElement).replaceChildren(
    ...advice.map((line) => create("li", "", line)),
  );
  again = retry;
  tryAgain.hidden = retry === undefined;
  card.hidden = false;
}

export function hideProblem(): void {
  // The button that had the keyboard's place is about to vanish.
  if (card.contains(document.activeElement)) {
    const panel = document.querySelector("[role=tabpanel]:not([hidden])");
    const place =
      panel?.querySelector("textarea") ?? panel?.querySelector("button:enabled:not([hidden])");
    if (place instanceof HTMLElement) {
      place.focus({ preventScroll: true });
    }
  }
  card.hidden = true;
}

tryAgain.addEventListener("click", () => {
  hideProblem();
  again?.();
});
element("dismiss", HTMLButtonElement).addEventListener("click", hideProblem);
