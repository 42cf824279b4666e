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
} as const;

export type Program = keyof typeof PROGRAMS;

/** The program with its import changed, and nothing else. */
export function moved(program: Program): string {
  const { library, text } = PROGRAMS[program];
  return text.replace(`"${library}"`, '"kvscope"');
}
