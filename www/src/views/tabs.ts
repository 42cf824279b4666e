import { VIEWS, type View } from "../settings/evaluation-setting.ts";
import { element } from "../ui/dom.ts";

const tab = (view: View): HTMLButtonElement => element(`tab-${view}`, HTMLButtonElement);
const panel = (view: View): HTMLElement => element(`view-${view}`, HTMLElement);

/** Calls `onChoose` when a tab is chosen, by click or by the arrow keys. */
export function wireTabs(onChoose: (view: View) => void): void {
  VIEWS.forEach((view, index) => {
    tab(view).addEventListener("click", () => onChoose(view));
    tab(view).addEventListener("keydown", ({ key }) => {
      const moves: Record<string, number> = {
        ArrowLeft: index - 1,
        ArrowRight: index + 1,
        Home: 0,
        End: VIEWS.length - 1,
      };
      const to = moves[key];
      const next = to === undefined ? undefined : VIEWS.at(to % VIEWS.length);
      if (next !== undefined) {
        tab(next).focus();
        onChoose(next);
      }
    });
  });
}

/** Shows a view's panel, and of the cards beside it those that are its own. */
export function showView(chosen: View): void {
  for (const view of VIEWS) {
    tab(view).setAttribute("aria-selected", String(view === chosen));
    tab(view).tabIndex = view === chosen ? 0 : -1;
    panel(view).hidden = view !== chosen;
  }
  const isMeasured = chosen !== "prompt" && chosen !== "chat";
  element("settings", HTMLElement).hidden = isMeasured;
  element("measure-card", HTMLElement).hidden = !isMeasured;
  for (const part of document.querySelectorAll<HTMLElement>("#settings [data-view]")) {
    part.hidden = part.dataset["view"] !== chosen;
  }
  // A field that is not shown can't be what is wrong with the form.
  element("prompt", HTMLTextAreaElement).required = chosen === "prompt";
}
