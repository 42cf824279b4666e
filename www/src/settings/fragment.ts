/** Reads a field from a link. Anyone can write a link: a bad value is `undefined`, the default. */
export type Reader<T> = (text: string) => T | undefined;
export type Readers<Setting> = { readonly [Field in keyof Setting]: Reader<Setting[Field]> };

export const oneOf =
  <T extends string>(names: readonly T[]): Reader<T> =>
  (value) =>
    names.find((name) => name === value);
export const within =
  (least: number, most: number, whole: boolean): Reader<number> =>
  (value) => {
    const number = Number(value);
    const fits =
      value.trim() !== "" &&
      number >= least &&
      number <= most &&
      (!whole || Number.isInteger(number));
    return fits ? number : undefined;
  };

/**
 * Fields of `setting` as an address's fragment. Values that are the default are left out, and those
 * of more than `longest` characters.
 */
export function writeFields<Setting extends object>(
  setting: Setting,
  defaults: Setting,
  fields: readonly (keyof Setting & string)[],
  longest = Infinity,
): string {
  const link = new URLSearchParams();
  for (const field of fields) {
    const value = String(setting[field]);
    if (value !== String(defaults[field]) && value.length <= longest) {
      link.set(field, value);
    }
  }
  return link.toString();
}

/** The setting of an address's fragment, with or without its `#`. */
export function readFields<Setting extends object>(
  fragment: string,
  defaults: Setting,
  fields: readonly (keyof Setting & string)[],
  readers: Readers<Setting>,
): Setting {
  const link = new URLSearchParams(fragment.replace(/^#/, ""));
  const given = fields.flatMap((field) => {
    const value = link.get(field);
    const read = value === null ? undefined : readers[field](value);
    return read === undefined ? [] : [[field, read] as const];
  });
  return { ...defaults, ...Object.fromEntries(given) };
}
