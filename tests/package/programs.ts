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
} as const;

export type Program = keyof typeof PROGRAMS;

/** The program with its import changed, and nothing else. */
export function moved(program: Program): string {
  const { library, text } = PROGRAMS[program];
  return text.replace(`"${library}"`, '"kvscope"');
}
