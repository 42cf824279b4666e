/** wllama's logger. */
export interface WllamaLogger {
  debug: typeof console.debug;
  log: typeof console.log;
  warn: typeof console.warn;
  error: typeof console.error;
}

/** wllama's logger without messages for finding faults. Nothing is logged here anyway. */
export const LoggerWithoutDebug: WllamaLogger & typeof console = {
  ...console,
  debug() {
    // That is what it is for.
  },
};
