/** A model that a host offers with the page. */
export interface OfferedModel {
  readonly name: string;
  /** Its address. */
  readonly url: string;
  readonly bytes: number | undefined;
}

/** Models that `models.json` beside the page offers, the default first; none without a file. */
export async function findOfferedModels(): Promise<readonly OfferedModel[]> {
  try {
    const response = await fetch("./models.json");
    const answer: unknown = await response.json();
    const models = fieldOf(answer, "models");
    // Hosts of before there were several name one as `default`.
    const listed: readonly unknown[] = Array.isArray(models)
      ? models
      : [fieldOf(answer, "default")];
    return listed.flatMap(read);
  } catch {
    return []; // no network, or a host that has no such file: a model can still be chosen
  }
}

function read(model: unknown): OfferedModel[] {
  const address = fieldOf(model, "url");
  if (typeof address !== "string" || !URL.canParse(address, document.baseURI)) {
    return [];
  }
  const url = new URL(address, document.baseURI).href;
  const name = fieldOf(model, "name");
  const bytes = fieldOf(model, "bytes");
  return [
    {
      url,
      name: typeof name === "string" ? name : url.slice(url.lastIndexOf("/") + 1),
      bytes: typeof bytes === "number" ? bytes : undefined,
    },
  ];
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, field) : undefined;
}
