import type { Page } from "./test.ts";

/** Names of elements that have moved by themselves, since the page was there. */
export const moved = (page: Page): Promise<string[]> =>
  page.evaluate(
    () =>
      new Promise<string[]>((resolve) => {
        new PerformanceObserver((list) => {
          const shifts = list.getEntries() as (PerformanceEntry & {
            value: number;
            sources: { node: Node | null }[];
          })[];
          const large = shifts.filter(({ value }) => value > 0.001);
          resolve(
            large.flatMap(({ sources }) =>
              sources.map(({ node }) => {
                const { id = "", className = "" } = (node as Element | null) ?? {};
                return `${id} ${className}`;
              }),
            ),
          );
        }).observe({ type: "layout-shift", buffered: true });
        setTimeout(() => resolve([]), 500); // an observer with nothing to report is never called
      }),
  );
