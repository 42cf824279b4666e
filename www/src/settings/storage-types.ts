import { STORAGE } from "../../generated/catalogue.js";
import type { CacheOptions, CacheType } from "../engine.ts";

/** Types in which keys and values are stored, the default first. */
export const STORAGE_TYPES: readonly CacheType[] = STORAGE.map(({ name }) => name);

/** Type in which the library stores keys and values if none is chosen. */
export const DEFAULT_STORAGE: CacheType = STORAGE[0].name;

/** Choices for values: the keys' type, or one of their own. */
export const SAME = "same";
export type ValueType = typeof SAME | CacheType;
export const VALUE_TYPES: readonly ValueType[] = [SAME, ...STORAGE_TYPES];

const entry = (type: string) => STORAGE.find(({ name }) => name === type);

/** Sentence that explains a storage type. */
export const explainStorage = (type: string): string => entry(type)?.about ?? "";

/** The types as the package takes them: one name if they are the same. */
export const storageOf = (
  keys: CacheType,
  values: ValueType,
): NonNullable<CacheOptions["cacheType"]> =>
  values === SAME || values === keys ? keys : { keys, values };

/** Whole bits per element of the types, such as `4-bit`, or of each, such as `8/4-bit`. */
export function bitsOf(types: CacheOptions["cacheType"]): string {
  const { keys, values } = eachOf(types);
  const [own, others] = [keys, values].map((type) => Math.floor(entry(type)?.bitsPerElement ?? 16));
  return own === others ? `${own}-bit` : `${own}/${others}-bit`;
}

function eachOf(types: CacheOptions["cacheType"]): { keys: CacheType; values: CacheType } {
  if (types === undefined || typeof types === "string") {
    const type = types ?? DEFAULT_STORAGE;
    return { keys: type, values: type };
  }
  return { keys: types.keys ?? DEFAULT_STORAGE, values: types.values ?? DEFAULT_STORAGE };
}
