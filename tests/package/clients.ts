/** Versions of the packages that {@link CLIENTS} import. */
export const CLIENT_PACKAGES = {
  "@browser-ai/web-llm": "3.0.3",
  "@langchain/community": "1.1.29",
  "@langchain/core": "1.4.0",
  ai: "7.0.173",
} as const;

/**
 * Programs of libraries that are written for WebLLM, as their users write them. Each logs a text
 * and a number of pieces.
 */
export const CLIENTS = {
  aiSdk: `import { webLLM } from "@browser-ai/web-llm";
import { generateText, streamText } from "ai";

const id = "a-model-q4f16_1-MLC";
const appConfig = {
  model_list: [{ model: "https://example.org/model.gguf", model_id: id, model_lib: "none" }],
};
const shares: number[] = [];
const model = webLLM(id, {
  engineConfig: { appConfig },
  initProgressCallback: ({ progress }) => shares.push(progress),
});
const asked = { model, prompt: "Hello", maxOutputTokens: 12, temperature: 0 };
const whole = await generateText(asked);
let streamed = "";
for await (const text of streamText(asked).textStream) streamed += text;
const controller = new AbortController();
const endless = streamText({ model, prompt: "Once", abortSignal: controller.signal });
let pieces = 0;
for await (const _ of endless.textStream) {
  pieces += 1;
  if (pieces === 3) controller.abort();
}
const again = await generateText(asked);
if (shares.at(-1) !== 1) throw new Error("the load was not told of");
if (whole.usage.outputTokens !== 12) throw new Error("another number of tokens");
if (streamed !== whole.text || again.text !== whole.text) throw new Error("another answer");
console.log(whole.text, pieces);
`,
  langChain: `import { ChatWebLLM } from "@langchain/community/chat_models/webllm";
import { HumanMessage } from "@langchain/core/messages";

const id = "a-model-q4f16_1-MLC";
const model = new ChatWebLLM({
  model: id,
  appConfig: {
    model_list: [{ model: "https://example.org/model.gguf", model_id: id, model_lib: "none" }],
  },
  chatOptions: { temperature: 0, context_window_size: 64 },
});
await model.initialize((report) => console.debug(report.progress));
const messages = [new HumanMessage("Hello")];
const whole = await model.invoke(messages);
let streamed = "";
let pieces = 0;
for await (const chunk of await model.stream(messages)) {
  streamed += chunk.content;
  pieces += 1;
}
if (streamed !== whole.content) throw new Error("another answer");
console.log(streamed, pieces);
`,
} as const;

export type Client = keyof typeof CLIENTS;
