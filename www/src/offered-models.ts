/** The model that a host offers with the page. */
export interface DefaultModel {
  readonly name: string;
  /** Its address, relative to the page. */
  readonly url: string;
  readonly bytes: number | undefined;
}

/** What `models.json` beside the page says, if it offers a model. */
export async function findDefaultModel(): Promise<DefaultModel | undefined> {
  try {
    const response = await fetch("./models.json");
    const answer: unknown = await response.json();
    const model = fieldOf(answer, "default");
    const address = fieldOf(model, "url");
    if (typeof address !== "string") {
      return undefined;
    }
    const url = new URL(address, document.baseURI).href;
    const name = fieldOf(model, "name");
    const bytes = fieldOf(model, "bytes");
    return {
      url,
      name: typeof name === "string" ? name : url.slice(url.lastIndexOf("/") + 1),
      bytes: typeof bytes === "number" ? bytes : undefined,
    };
  } catch {
    return undefined; // no network, or a host that has no such file: a model can still be chosen
  }
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, field) : undefined;
}
