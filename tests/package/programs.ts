/**
 * Programs as their libraries' users write them: as they are, they compile with WebLLM 0.2.86 and
 * wllama 3.13.0.
 */
export const PROGRAMS = {
  webllm: {
    library: "@mlc-ai/web-llm",
    text: `import * as webllm from "@mlc-ai/web-llm";

async function main() {
  const engine: webllm.MLCEngineInterface = await webllm.CreateMLCEngine(
    "a-model-q4f16_1-MLC",
    {
      initProgressCallback: (report: webllm.InitProgressReport) => console.debug(report.progress, report.text),
      appConfig: {
        model_list: [{ model: "https://example.org/model.gguf", model_id: "a-model-q4f16_1-MLC", model_lib: "none" }],
      },
      logLevel: "INFO",
    },
    { context_window_size: 2048 },
  );
  const chunks = await engine.chat.completions.create({
    messages: [
      { role: "system", content: "You are a helpful assistant." },
      { role: "user", content: "Hello" },
    ],
    temperature: 1,
    max_tokens: 16,
    stream: true,
    stream_options: { include_usage: true },
  });
  let reply = "";
  let tokens = 0;
  for await (const chunk of chunks) {
    reply += chunk.choices[0]?.delta.content || "";
    tokens = chunk.usage?.completion_tokens ?? tokens;
  }
  console.debug(await engine.runtimeStatsText());
  console.log(reply === (await engine.getMessage()) ? reply : "another message", tokens);
  await engine.unload();
}

main();
`,
  },
  wllama: {
    library: "@wllama/wllama",
    text: `import { Wllama } from "@wllama/wllama";

const wllama = new Wllama({ default: "./wllama.wasm" }, { parallelDownloads: 3, allowOffline: true });
const progressCallback = ({ loaded, total }: { loaded: number; total: number }) => console.debug(loaded / total);
await wllama.loadModelFromHF({ repo: "owner/name", file: "model.gguf" }, { progressCallback, n_ctx: 512 });
const messages = [{ role: "user" as const, content: "Hello" }];
const options = { messages, max_tokens: 16, temperature: 0, top_k: 40, top_p: 0.9 };
const whole = await wllama.createChatCompletion(options);
const stream = await wllama.createChatCompletion({ ...options, stream: true });
let reply = "";
for await (const chunk of stream) {
  reply += chunk.choices[0]?.delta.content ?? "";
}
console.log(reply === whole.choices[0]?.message.content ? reply : "another answer", whole.usage.completion_tokens);
await wllama.exit();
`,
  },
  webllmTurns: {
    library: "@mlc-ai/web-llm",
    text: `import * as webllm from "@mlc-ai/web-llm";

const id = "a-model-q4f16_1-MLC";
const engine = await webllm.CreateMLCEngine(id, {
  appConfig: { model_list: [{ model: "https://example.org/model.gguf", model_id: id, model_lib: "none" }] },
});
const history: webllm.ChatCompletionMessageParam[] = [
  { role: "system", content: "You know the coasts of Europe." },
  { role: "user", content: "Name three of their capes." },
];
const first = await engine.chat.completions.create({ messages: history, max_tokens: 12 });
history.push({ role: "assistant", content: first.choices[0]?.message.content ?? "" });
history.push({ role: "user", content: "And two more!" });
const second = await engine.chat.completions.create({ messages: history, max_tokens: 12 });
const usage = second.usage as unknown as { prompt_tokens_details?: { cached_tokens: number } };
const held = usage.prompt_tokens_details?.cached_tokens ?? 0;
if (held < (first.usage?.prompt_tokens ?? 0)) throw new Error(\`\${held} tokens were held\`);
console.log(second.choices[0]?.message.content, held);
await engine.unload();
`,
  },
  wllamaTurns: {
    library: "@wllama/wllama",
    text: `import { Wllama } from "@wllama/wllama";

const wllama = new Wllama({ default: "./wllama.wasm" });
await wllama.loadModelFromUrl("https://example.org/model.gguf");
const messages: { role: "user" | "assistant"; content: string }[] = [];
const prompts: number[] = [];
let answer = "";
let held = 0;
for (const content of ["Name three capes.", "And two more!"]) {
  messages.push({ role: "user", content });
  const { choices, usage } = await wllama.createChatCompletion({ messages, max_tokens: 12, temperature: 0 });
  answer = choices[0]?.message.content ?? "";
  messages.push({ role: "assistant", content: answer });
  const details = usage as unknown as { prompt_tokens_details?: { cached_tokens: number } };
  held = details.prompt_tokens_details?.cached_tokens ?? 0;
  prompts.push(usage.prompt_tokens);
}
if (held < (prompts[0] ?? 0)) throw new Error(\`\${held} tokens were held\`);
console.log(answer, held);
await wllama.exit();
`,
  },
  webllmWorkers: {
    library: "@mlc-ai/web-llm",
    text: `import * as webllm from "@mlc-ai/web-llm";

const id = "a-model-q4f16_1-MLC";
const appConfig: webllm.AppConfig = {
  model_list: [
    {
      model: "https://example.org/model.gguf",
      model_id: id,
      model_lib: webllm.modelLibURLPrefix + webllm.modelVersion + "/a-model-webgpu.wasm",
      model_type: webllm.ModelType.LLM,
      overrides: { context_window_size: 64 },
    },
    ...webllm.prebuiltAppConfig.model_list,
  ],
};
const script = new Blob(["onmessage = () => {};"], { type: "text/javascript" });
const worker = new Worker(URL.createObjectURL(script), { type: "module" });
const report: webllm.InitProgressCallback = ({ text }) => console.debug(text);
const engine = await webllm.CreateWebWorkerMLCEngine(
  worker,
  id,
  { appConfig, initProgressCallback: report, logLevel: "WARN" },
  { temperature: 0, top_p: 0.9 },
);
const request: webllm.ChatCompletionRequest = {
  messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
  stream: false,
  tool_choice: "none",
};
const answer: webllm.ChatCompletion = await engine.chat.completions.create(request);
console.debug(await engine.getGPUVendor(), await webllm.hasModelInCache(id, appConfig));
await engine.resetChat(false);
await engine.unload();
await webllm.deleteModelAllInfoInCache(id, appConfig);
const text = answer.choices[0]?.message.content ?? "";
const finish: webllm.ChatCompletionFinishReason | undefined = answer.choices[0]?.finish_reason;
console.log(text, (await webllm.hasModelInCache(id, appConfig)) || finish === "abort" ? "wrong" : answer.usage?.total_tokens);
`,
  },
  wllamaManager: {
    library: "@wllama/wllama",
    text: `import { LoggerWithoutDebug, ModelManager, Wllama, WllamaAbortError, type ChatCompletionMessage } from "@wllama/wllama";

const manager = new ModelManager({ logger: LoggerWithoutDebug });
const url = "https://example.org/model.gguf";
const model = await manager.getModelOrDownload({ url }, { progressCallback: ({ loaded, total }) => console.debug(loaded / total) });
const wllama = new Wllama({ default: "./wllama.wasm" }, { modelManager: manager, suppressNativeLog: true });
await wllama.loadModel(model, { n_ctx: 64, n_threads: 1, cache_type_k: "q8_0" });
const messages: ChatCompletionMessage[] = [{ role: "user", content: "Hello" }];
const controller = new AbortController();
let pieces = 0;
let aborted = false;
try {
  await wllama.createChatCompletion({
    messages,
    stream: true,
    temp: 0,
    penalty_last_n: 64,
    abortSignal: controller.signal,
    onData: (chunk) => {
      pieces += chunk.choices.length;
      if (pieces === 3) controller.abort();
    },
  });
} catch (error) {
  aborted = error instanceof WllamaAbortError;
}
const { n_ctx, token_eos } = wllama.getLoadedContextInfo();
const kept = (await manager.getModels()).some((other) => other.url === url);
await wllama.exit();
await manager.clear();
const right = aborted && pieces === 3 && n_ctx === 64 && wllama.isModelLoaded() === false && kept;
console.log(right ? model.url : "wrong", right ? token_eos : "wrong");
`,
  },
} as const;

export type Program = keyof typeof PROGRAMS;

/** The program with its import changed, and nothing else. */
export function moved(program: Program): string {
  const { library, text } = PROGRAMS[program];
  return text.replace(`"${library}"`, '"kvscope"');
}
