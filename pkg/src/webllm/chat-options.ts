import type { Fields } from "../peers/fields.js";

/** WebLLM's roles of a conversation's template. */
export type Role = "user" | "assistant" | "tool";

/** WebLLM's template of a conversation. Ignored: the template is the GGUF file's. */
export interface ConvTemplateConfig {
  system_template: string;
  system_message: string;
  roles: Record<Role, string>;
  role_templates?: Partial<Record<Role, string>>;
  seps: string[];
  role_content_sep?: string;
  role_empty_sep?: string;
  stop_str: string[];
  system_prefix_token_ids?: number[];
  stop_token_ids: number[];
  add_role_after_system_message?: boolean;
  render_empty_system_message?: boolean;
}

/**
 * WebLLM's configuration of a chat. Used are the window, and the defaults of requests: temperature,
 * `top_p` and penalties.
 */
export interface ChatConfig {
  /** Positions after which an answer ends, at most the model's own. */
  context_window_size: number;
  temperature: number;
  top_p: number;
  repetition_penalty: number;
  frequency_penalty: number;
  presence_penalty: number;
  tokenizer_files: string[];
  tokenizer_info?: object;
  token_table_postproc_method?: string;
  vocab_size: number;
  conv_config?: Partial<ConvTemplateConfig>;
  conv_template: ConvTemplateConfig;
  sliding_window_size: number;
  attention_sink_size: number;
  max_history_size?: number;
  bos_token_id?: number;
  model_type?: string;
  model_config?: object;
}

/** WebLLM's options of a load. */
export interface ChatOptions extends Partial<ChatConfig> {}

const DEFAULTS = [
  "temperature",
  "top_p",
  "repetition_penalty",
  "frequency_penalty",
  "presence_penalty",
] as const;

/** Defaults of requests: those fields of a load's options that requests have too. */
export function requestDefaults(options: ChatOptions): Fields {
  const given = DEFAULTS.map((name) => [name, options[name]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** Positions after which answers end, if the options say so; WebLLM writes none as -1. */
export function windowOf({ context_window_size: size }: ChatOptions): number | undefined {
  return size !== undefined && size > 0 ? size : undefined;
}
