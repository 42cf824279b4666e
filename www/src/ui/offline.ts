/** Lets the page work without a network after its first visit. Where that can't be had, the page works as before. */
export function keepForOffline(): void {
  if (import.meta.env.PROD && "serviceWorker" in navigator) {
    addEventListener("load", () => {
      navigator.serviceWorker.register("./service-worker.js").catch(() => undefined);
    });
  }
}
