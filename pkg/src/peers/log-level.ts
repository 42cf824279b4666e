/** wllama's levels of messages, by their names. Ignored. */
export const LogLevel = { DEBUG: 1, INFO: 2, WARN: 3, ERROR: 4 } as const;
/** wllama's level of messages, or WebLLM's, which is a name. Ignored. */
export type LogLevel =
  | (typeof LogLevel)[keyof typeof LogLevel]
  | "TRACE"
  | "DEBUG"
  | "INFO"
  | "WARN"
  | "ERROR"
  | "SILENT";
