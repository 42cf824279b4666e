import { policiesOf } from "./policy.ts";
import type { ModelSource } from "./engine.ts";
import type { Setting } from "./setting.ts";

/** A program that does with the package what the page does with `setting`. */
export function codeFor(setting: Setting, source: ModelSource | undefined): string {
  const [policy] = policiesOf(setting);
  const { prefill, decode, cacheType } = policy?.cache ?? {};
  const sampling =
    setting.temperature === 0
      ? "  temperature: 0,"
      : `  temperature: ${setting.temperature},\n  top_p: ${setting.topP},\n  seed: ${setting.seed},`;
  return `import { Engine } from "kvscope";

const engine = await Engine.load(${literal(source)}, {
  onProgress: ({ phase, loadedBytes, totalBytes }) => console.log(phase, loadedBytes, totalBytes),
});

const stream = await engine.chat.completions.create({
  messages: [{ role: "user", content: prompt }],
  stream: true,
  max_tokens: ${setting.tokens},
${sampling}
  cache: {
    cacheType: "${cacheType}",
    prefill: ${inline(prefill)},
    decode: ${inline(decode)},
  },
});
for await (const chunk of stream) {
  output.append(chunk.choices[0]?.delta.content ?? "");
  if (chunk.kv) console.log(\`\${chunk.kv.heldBytes} of \${chunk.kv.fullBytes} bytes\`);
}
engine.dispose();`;
}

function literal(source: ModelSource | undefined): string {
  if (source === undefined) {
    return '"https://example.com/model.gguf"';
  }
  if (typeof source === "string") {
    return JSON.stringify(source);
  }
  return "repo" in source ? inline(source) : "file /* from an <input type=file> */";
}

/** A small object on one line, as people write it. */
function inline(value: object | undefined): string {
  const fields = Object.entries(value ?? {}).map(([key, field]) => `${key}: ${JSON.stringify(field)}`);
  return `{ ${fields.join(", ")} }`;
}
