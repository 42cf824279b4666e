/** One of the page's colours by its name, as it is now: light and dark have their own. */
export const pageColour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
