import type { Kind } from "../settings/policy-family.ts";
import { create, element } from "../ui/dom.ts";

/** Texts of the panel of a view that measures accuracy. */
export interface PanelTexts {
  readonly title: string;
  readonly about: string;
  readonly result: string;
  /** Name of the budget that tells a family's policies apart. */
  readonly budget: string;
  /** Meaning of each colour of the chart. */
  readonly legend: readonly { readonly kind: Kind; readonly name: string }[];
}

/** Puts a panel into the view of `prefix`, with which its parts' ids begin. */
export function fillPanel(
  prefix: string,
  { title, about, result, budget, legend }: PanelTexts,
): void {
  const panel = document.importNode(element("measure-panel", HTMLTemplateElement).content, true);
  for (const part of panel.querySelectorAll<HTMLElement>("[data-part]")) {
    part.id = `${prefix}-${part.dataset["part"]}`;
  }
  for (const section of panel.querySelectorAll<HTMLElement>("[data-titled]")) {
    section.setAttribute("aria-labelledby", `${prefix}-${section.dataset["titled"]}`);
  }
  element(`view-${prefix}`, HTMLElement).append(panel);
  const say = (part: string, text: string): void => {
    element(`${prefix}-${part}`, HTMLElement).textContent = text;
  };
  say("title", title);
  say("about", about);
  say("result-title", result);
  say("caption", result);
  say("budget", budget);
  element(`${prefix}-legend`, HTMLElement).replaceChildren(
    ...legend.map(({ kind, name }) => {
      const item = create("li", "", name);
      item.prepend(create("i", `swatch ${kind}`));
      return item;
    }),
  );
}
