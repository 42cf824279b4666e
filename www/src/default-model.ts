/** The model that a host offers with the page. */
export interface DefaultModel {
  readonly name: string;
  /** Its address, relative to the page. */
  readonly url: string;
  readonly bytes: number;
}

/** What `models.json` beside the page says, if it offers a model. */
export async function findDefaultModel(): Promise<DefaultModel | undefined> {
  try {
    const response = await fetch("./models.json");
    const { default: model } = (await response.json()) as { default?: Partial<DefaultModel> | null };
    if (typeof model?.url !== "string") {
      return undefined;
    }
    const url = new URL(model.url, document.baseURI).href;
    return { name: model.name ?? url.slice(url.lastIndexOf("/") + 1), url, bytes: Number(model.bytes ?? 0) };
  } catch {
    return undefined; // no network, or a host that has no such file: a model can still be chosen
  }
}
