import { STORAGE } from "../../generated/catalogue.js";
import type { CacheType } from "../engine.ts";

/** Types in which keys and values are stored, the default first. */
export const STORAGE_TYPES: readonly CacheType[] = STORAGE.map(({ name }) => name);

/** Type in which the library stores keys and values if none is chosen. */
export const DEFAULT_STORAGE: CacheType = STORAGE[0].name;

/** Sentence that explains a storage type. */
export const explainStorage = (type: string): string =>
  STORAGE.find(({ name }) => name === type)?.about ?? "";
