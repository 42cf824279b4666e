import type { Page } from "./test.ts";

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds of the thread's own time. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

const isMainThread = ({ name, args }: TraceEvent): boolean =>
  name === "thread_name" && args?.name === "CrRendererMain";

/**
 * Watches the page's main thread. The function that it resolves to ends that, and gives the
 * milliseconds of processor time that each task took. Those on the clock would not do: with a
 * software adapter the GPU's threads use the processors too. The page can't help a task's wait for
 * one.
 */
export async function watchMainThread(page: Page): Promise<() => Promise<number[]>> {
  const devtools = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  devtools.on("Tracing.dataCollected", ({ value }) =>
    events.push(...(value as unknown as TraceEvent[])),
  );
  await devtools.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: ["toplevel"] },
  });
  return async () => {
    const complete = new Promise((resolve) => {
      devtools.once("Tracing.tracingComplete", resolve);
    });
    await devtools.send("Tracing.end");
    await complete;
    const threads = new Set(events.filter(isMainThread).map(({ pid, tid }) => `${pid} ${tid}`));
    return events
      .filter(({ name, pid, tid }) => name.endsWith("RunTask") && threads.has(`${pid} ${tid}`))
      .flatMap(({ tdur }) => (tdur === undefined ? [] : [tdur / 1000]));
  };
}
