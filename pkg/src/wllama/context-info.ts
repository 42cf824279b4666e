import type { Engine } from "../engine.js";
import type { GgufValue } from "./gguf-metadata.js";

/** wllama's facts about a model. */
export interface ModelMetadata {
  hparams: { nVocab: number; nCtxTrain: number; nEmbd: number; nLayer: number };
  /** Keys and values of the file; lists as their lengths. */
  meta: Record<string, string>;
}

/** wllama's facts about a loaded model. */
export interface LoadedContextInfo {
  n_vocab: number;
  /** Positions after which an answer ends. */
  n_ctx: number;
  n_batch: number;
  n_ubatch: number;
  n_ctx_train: number;
  n_embd: number;
  n_layer: number;
  metadata: Record<string, string>;
  /** Number of the token; -1 if the file names none. */
  token_bos: number;
  token_eos: number;
  token_eot: number;
  list_tokens_eog: number[];
  has_encoder: boolean;
  token_decoder_start: number;
  add_bos_token: boolean;
  add_eos_token: boolean;
  has_image_input: boolean;
  has_audio_input: boolean;
  has_audio_output: boolean;
  /** True with a chat template. */
  has_chat: boolean;
  has_audio_stream: boolean;
  has_live_asr: boolean;
  audio_input_rate: number;
  audio_output_rate: number;
  audio_voices: string[];
}

/** Tokens in one submission of a prompt: the engine's own. */
const BATCH = 512;

/** Describes a loaded model by the engine's report and the keys of its file. */
export function contextInfo(
  { model }: Engine,
  values: ReadonlyMap<string, GgufValue>,
  window: number | undefined,
): LoadedContextInfo {
  const token = (name: string): number => {
    const value = values.get(`tokenizer.ggml.${name}_token_id`);
    return typeof value === "number" ? value : -1;
  };
  const width = values.get(`${model.architecture}.embedding_length`);
  const [eos, eot, eom] = [token("eos"), token("eot"), token("eom")];
  return {
    n_vocab: model.vocabulary,
    n_ctx: Math.min(model.context, window ?? Infinity),
    n_batch: BATCH,
    n_ubatch: BATCH,
    n_ctx_train: model.context,
    n_embd: typeof width === "number" ? width : model.queryHeads * model.headDim,
    n_layer: model.layers,
    metadata: Object.fromEntries([...values].map(([key, value]) => [key, shown(value)])),
    token_bos: token("bos"),
    token_eos: eos,
    token_eot: eot,
    list_tokens_eog: [...new Set([eos, eot, eom])].filter((id) => id >= 0),
    has_encoder: false,
    token_decoder_start: -1,
    add_bos_token: values.get("tokenizer.ggml.add_bos_token") === true,
    add_eos_token: values.get("tokenizer.ggml.add_eos_token") === true,
    has_image_input: false,
    has_audio_input: false,
    has_audio_output: false,
    has_chat: model.chatTemplate,
    has_audio_stream: false,
    has_live_asr: false,
    audio_input_rate: 0,
    audio_output_rate: 0,
    audio_voices: [],
  };
}

/** Describes a loaded model as {@link Wllama.getModelMetadata} does. */
export function modelMetadata(info: LoadedContextInfo): ModelMetadata {
  const { n_vocab: nVocab, n_ctx_train: nCtxTrain, n_embd: nEmbd, n_layer: nLayer } = info;
  return { hparams: { nVocab, nCtxTrain, nEmbd, nLayer }, meta: { ...info.metadata } };
}

function shown(value: GgufValue): string {
  return typeof value === "object" ? `a list of ${value.length}` : String(value);
}
