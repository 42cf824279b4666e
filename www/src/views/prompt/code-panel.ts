import type { ModelSource } from "../../engine.ts";
import { policiesOf } from "../../settings/policy.ts";
import type { Setting } from "../../settings/setting.ts";

/** Prompts longer than this are cut where the code is only looked at. */
const SHOWN = 120;

/**
 * Program that does with the package what the page does with `setting`. With `shown` it is only
 * looked at: a long prompt is cut.
 */
export function codeFor(setting: Setting, source: ModelSource | undefined, shown = false): string {
  const [policy] = policiesOf(setting);
  const { prefill, decode, cacheType } = policy?.cache ?? {};
  const { temperature, topP, seed } = setting;
  const sampling =
    temperature === 0
      ? "  temperature: 0,"
      : `  temperature: ${temperature},\n  top_p: ${topP},\n  seed: ${seed},`;
  return `import { Engine } from "kvscope";

const engine = await Engine.load(${literal(source)}, {
  onProgress: ({ phase, loadedBytes, totalBytes }) => console.log(phase, loadedBytes, totalBytes),
});
const prompt = ${shown ? shortened(setting.prompt) : JSON.stringify(setting.prompt)};
const output = document.body.appendChild(document.createElement("pre"));

const stream = await engine.chat.completions.create({
  messages: [{ role: "user", content: prompt }],
  stream: true,
  max_tokens: ${setting.tokens},
${sampling}
  cache: {
    cacheType: ${typeof cacheType === "object" ? inline(cacheType) : JSON.stringify(cacheType)},
    prefill: ${inline(prefill)},
    decode: ${inline(decode)},
  },
});
let kv;
for await (const chunk of stream) {
  output.append(chunk.choices[0]?.delta.content ?? "");
  kv = chunk.kv;
}
console.log(\`\${kv.heldBytes} bytes held, \${kv.savedBytes} saved\`);
engine.dispose();`;
}

function literal(source: ModelSource | undefined): string {
  if (source === undefined) {
    return '"https://example.com/model.gguf"';
  }
  if (typeof source === "string") {
    return JSON.stringify(source);
  }
  return "repo" in source ? inline(source) : 'document.querySelector("input[type=file]").files[0]';
}

function shortened(prompt: string): string {
  return prompt.length <= SHOWN
    ? JSON.stringify(prompt)
    : `${JSON.stringify(`${prompt.slice(0, SHOWN)}…`)} /* all of it with Copy */`;
}

/** A small object on one line, as people write it. */
function inline(value: object | undefined): string {
  const fields = Object.entries(value ?? {}).map(
    ([key, field]) => `${key}: ${JSON.stringify(field)}`,
  );
  return `{ ${fields.join(", ")} }`;
}
