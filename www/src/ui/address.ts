/** Safari refuses more than 100 changes of an address in 30 seconds. Typing is faster than that. */
const LEAST_INTERVAL_MS = 350;

/** The fragment that this page has written or has been told of. */
let known = location.hash;
let wanted = known.slice(1);
let writtenAt = Number.NEGATIVE_INFINITY;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Puts `fragment` into the page's address, soon. */
export function writeFragment(fragment: string): void {
  wanted = fragment;
  const wait = writtenAt + LEAST_INTERVAL_MS - performance.now();
  if (wait <= 0) {
    write();
  } else {
    timer ??= setTimeout(write, wait);
  }
}

/** The page's address, with all that was put into it. */
export function currentAddress(): string {
  write();
  return location.href;
}

/** Calls `read` with the address's fragment whenever a reader has changed it. */
export function onFragment(read: (fragment: string) => void): void {
  addEventListener("hashchange", () => {
    known = location.hash;
    wanted = known.slice(1);
    read(known);
  });
}

function write(): void {
  clearTimeout(timer);
  timer = undefined;
  // The reader's address is newer than anything of ours until its event has come.
  if (location.hash !== known) {
    return;
  }
  if (wanted !== known.slice(1)) {
    writtenAt = performance.now();
    const { pathname, search } = location;
    history.replaceState(null, "", wanted === "" ? `${pathname}${search}` : `#${wanted}`);
    known = location.hash;
  }
}
