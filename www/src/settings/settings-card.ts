/** On wide screens a card of settings stands beside the stage and is always open. */
export function openWhereThereIsRoom(card: HTMLDetailsElement): void {
  const wide = matchMedia("(min-width: 62rem)");
  const summary = card.querySelector("summary");
  const follow = (): void => {
    card.open = wide.matches;
    if (summary !== null) {
      summary.tabIndex = wide.matches ? -1 : 0;
    }
  };
  wide.addEventListener("change", follow);
  follow();
}
