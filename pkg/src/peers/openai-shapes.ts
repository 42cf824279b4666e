// Shapes of OpenAI's interface that the libraries of browsers export, both under the same names.

/** A function that a model may call. Requests with some are refused. */
export interface ChatCompletionTool {
  type: "function";
  function: {
    name: string;
    description?: string;
    parameters?: Record<string, unknown>;
    strict?: boolean;
  };
}

/** A model's call of a function. Messages with some are refused. */
export interface ChatCompletionToolCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

/** The system's message. */
export interface ChatCompletionSystemMessage {
  role: "system";
  content: string;
  name?: string;
}

/** A model's message. */
export interface ChatCompletionAssistantMessage {
  role: "assistant";
  content?: string | null;
  name?: string;
  tool_calls?: ChatCompletionToolCall[];
}

/** A function's result. Refused. */
export interface ChatCompletionToolMessage {
  role: "tool";
  content: string;
  tool_call_id: string;
}

/** A text among a message's parts. */
export interface ChatCompletionMessageText {
  type: "text";
  text: string;
}

/** Request of embeddings. Refused. */
export interface EmbeddingCreateParams {
  input: unknown;
  model?: string | null;
  encoding_format?: "float" | "base64";
  dimensions?: number;
  embd_normalize?: number;
  user?: string;
}

/** An embedding. None is made here. */
export interface Embedding {
  object: "embedding";
  index: number;
  embedding: number[];
}

/** Answer with embeddings. None is made here. */
export interface CreateEmbeddingResponse {
  object: "list";
  data: Embedding[];
  model: string;
  usage: { prompt_tokens: number; total_tokens: number };
}
