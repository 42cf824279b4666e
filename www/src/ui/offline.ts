/** Lets the page work without a network after its first visit, if the browser can do that. */
export function keepForOffline(): void {
  if (import.meta.env.PROD && "serviceWorker" in navigator) {
    addEventListener("load", () => {
      navigator.serviceWorker.register("./service-worker.js").catch(() => undefined);
    });
  }
}
