// Keeps the files that make up the page, named by the build, so that it opens without a network. Written out by
// offline-files.ts, which puts the list and a version that follows from their contents in place of FILES and VERSION.

const CACHE = `kvscope ${VERSION}`;
const PAGE = new URL("./", self.location).href;
const ADDRESSES = new Set(FILES.map((file) => new URL(file, PAGE).href));
/** What the host may change without a new page: asked for anew each time, and kept for when there is no network. */
const CHANGING = new Set([PAGE, new URL("./models.json", PAGE).href]);

self.addEventListener("install", (event) => {
  const requests = [...ADDRESSES, ...CHANGING].map((url) => new Request(url, { cache: "no-cache" }));
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(requests))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const address = event.request.url.split(/[?#]/, 1)[0];
  // Anything else, as models and other origins, goes the browser's own way.
  if (event.request.method === "GET" && CHANGING.has(address)) {
    event.respondWith(fetchedOrStored(event.request, address));
  } else if (event.request.method === "GET" && ADDRESSES.has(address)) {
    event.respondWith(storedOrFetched(event.request, address));
  }
});

// Another page of this origin may have caches of its own; only this page's older ones go.
const isOld = (name) => name.startsWith("kvscope ") && name !== CACHE;

async function storedOrFetched(request, address) {
  const cache = await caches.open(CACHE);
  return (await cache.match(address)) ?? fetch(request);
}

async function fetchedOrStored(request, address) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) {
      await cache.put(address, response.clone());
    }
    return response;
  } catch (error) {
    const stored = await cache.match(address);
    if (stored === undefined) {
      throw error;
    }
    return stored;
  }
}
