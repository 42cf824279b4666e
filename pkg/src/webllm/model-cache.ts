import { Engine } from "../engine.js";
import { areLocal, resolveSource } from "../source.js";
import { isStored } from "../store.js";
import { getRecord, prebuiltAppConfig, sourceOf, type AppConfig } from "./app-config.js";

/** Returns whether all of a listed model is in the origin's file system. */
export async function hasModelInCache(
  modelId: string,
  appConfig: AppConfig = prebuiltAppConfig,
): Promise<boolean> {
  const { parts } = resolveSource(sourceOf(getRecord(modelId, appConfig)));
  return !areLocal(parts) && isStored(parts);
}

/** Deletes a listed model from the origin's file system. A GGUF file has all of a model. */
export async function deleteModelAllInfoInCache(
  modelId: string,
  appConfig: AppConfig = prebuiltAppConfig,
): Promise<void> {
  await Engine.deleteModel(sourceOf(getRecord(modelId, appConfig)));
}

/** Deletes a listed model from the origin's file system. */
export function deleteModelInCache(
  modelId: string,
  appConfig: AppConfig = prebuiltAppConfig,
): Promise<void> {
  return deleteModelAllInfoInCache(modelId, appConfig);
}

/** Does nothing to a listed model: its configuration is in its GGUF file. */
export async function deleteChatConfigInCache(
  modelId: string,
  appConfig: AppConfig = prebuiltAppConfig,
): Promise<void> {
  getRecord(modelId, appConfig);
}

/** Does nothing to a listed model: there is no compiled program of it. */
export async function deleteModelWasmInCache(
  modelId: string,
  appConfig: AppConfig = prebuiltAppConfig,
): Promise<void> {
  getRecord(modelId, appConfig);
}
