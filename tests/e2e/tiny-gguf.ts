/**
 * A tiny Llama with random weights as GGUF files (the format's description: ggml-org/ggml,
 * docs/gguf.md). It has two layers, 32 wide, a token for every byte and three control tokens.
 */

const LAYERS = 2;
const WIDTH = 32;
const FEED_FORWARD = 64;
const HEAD_DIM = 16;
const CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const VOCABULARY = 256 + CONTROLS.length;
const ALIGNMENT = 32;
const TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

type Value =
  | { readonly u16: number }
  | { readonly u32: number }
  | { readonly i32: number }
  | { readonly f32: number }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly i32s: readonly number[] };

interface Tensor {
  readonly name: string;
  /** The innermost first. */
  readonly dimensions: readonly number[];
  readonly numbers: Float32Array;
}

/** The model as one file. Another `seed` is another model. */
export function tinyModel(seed = 1): Uint8Array {
  return gguf(metadata(), tensors(seed));
}

/** A model of one head of 32 elements, which quantised storage types can hold. */
export function tinyModelOfWideHeads(): Uint8Array {
  return gguf(metadata(WIDTH), tensors(1, WIDTH));
}

/** The same model, with keys in its second layer that f16 can't hold. */
export function tinyModelOfLargeKeys(): Uint8Array {
  const all = tensors(1, WIDTH);
  const keys = all.find(({ name }) => name === "blk.1.attn_k.weight");
  keys?.numbers.forEach((number, at, numbers) => {
    numbers[at] = 1e6 * number;
  });
  return gguf(metadata(WIDTH), all);
}

/** The same model, whose chat template writes of earlier answers only their last characters. */
export function tinyModelOfShortHistory(): Uint8Array {
  const content = "message['content']";
  const short = `(${content}[-4:] if message['role'] == 'assistant' else ${content})`;
  return withTemplate(TEMPLATE.replace(content, short));
}

/** The same model, whose chat template begins the answer with an empty thought where told to. */
export function tinyModelThinking(): Uint8Array {
  const thought =
    "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}";
  return withTemplate(TEMPLATE + thought);
}

/** The same model with another chat template. */
const withTemplate = (template: string): Uint8Array =>
  gguf(
    metadata().map(([key, value]) => [
      key,
      key === "tokenizer.chat_template" ? { text: template } : value,
    ]),
    tensors(1),
  );

/** The same model without a chat template. */
export function tinyModelOfTexts(): Uint8Array {
  return gguf(
    metadata().filter(([key]) => key !== "tokenizer.chat_template"),
    tensors(1),
  );
}

/**
 * The same model as a split set of `count` files, as llama.cpp's gguf-split makes them: metadata in
 * the first.
 */
export function tinyModelParts(count: number, seed = 1): Uint8Array[] {
  const all = tensors(seed);
  return Array.from({ length: count }, (_, part) => {
    const own = all.filter((_tensor, index) => index % count === part);
    const split: [string, Value][] = [
      ["split.no", { u16: part }],
      ["split.count", { u16: count }],
      ["split.tensors.count", { i32: all.length }],
    ];
    return gguf([...(part === 0 ? metadata() : []), ...split], own);
  });
}

function metadata(headDim = HEAD_DIM): [string, Value][] {
  return [
    ["general.architecture", { text: "llama" }],
    ["general.name", { text: "tiny" }],
    ["llama.block_count", { u32: LAYERS }],
    ["llama.context_length", { u32: 512 }],
    ["llama.embedding_length", { u32: WIDTH }],
    ["llama.feed_forward_length", { u32: FEED_FORWARD }],
    ["llama.attention.head_count", { u32: WIDTH / headDim }],
    ["llama.attention.head_count_kv", { u32: 1 }],
    ["llama.attention.layer_norm_rms_epsilon", { f32: 1e-5 }],
    ["llama.rope.freq_base", { f32: 10_000 }],
    ["llama.rope.dimension_count", { u32: headDim }],
    ["tokenizer.ggml.model", { text: "gpt2" }],
    ["tokenizer.ggml.pre", { text: "smollm" }],
    ["tokenizer.ggml.tokens", { texts: [...byteTokens(), ...CONTROLS] }],
    // 1 is a normal token, 3 a control token.
    [
      "tokenizer.ggml.token_type",
      { i32s: Array.from({ length: VOCABULARY }, (_, id) => (id < 256 ? 1 : 3)) },
    ],
    ["tokenizer.ggml.merges", { texts: [] }],
    ["tokenizer.ggml.bos_token_id", { u32: 256 }],
    ["tokenizer.ggml.eos_token_id", { u32: 258 }],
    ["tokenizer.chat_template", { text: TEMPLATE }],
  ];
}

/** Tensors of one KV head of `kvWidth` elements. */
function tensors(seed: number, kvWidth = HEAD_DIM): Tensor[] {
  const random = mulberry32(seed);
  const matrix = (name: string, rows: number, columns: number): Tensor => ({
    name,
    dimensions: [columns, rows],
    numbers: Float32Array.from({ length: rows * columns }, () => (random() - 0.5) * 0.6),
  });
  const ones = (name: string): Tensor => ({
    name,
    dimensions: [WIDTH],
    numbers: new Float32Array(WIDTH).fill(1),
  });
  const blocks = Array.from({ length: LAYERS }, (_, layer) => [
    ones(`blk.${layer}.attn_norm.weight`),
    matrix(`blk.${layer}.attn_q.weight`, WIDTH, WIDTH),
    matrix(`blk.${layer}.attn_k.weight`, kvWidth, WIDTH),
    matrix(`blk.${layer}.attn_v.weight`, kvWidth, WIDTH),
    matrix(`blk.${layer}.attn_output.weight`, WIDTH, WIDTH),
    ones(`blk.${layer}.ffn_norm.weight`),
    matrix(`blk.${layer}.ffn_gate.weight`, FEED_FORWARD, WIDTH),
    matrix(`blk.${layer}.ffn_up.weight`, FEED_FORWARD, WIDTH),
    matrix(`blk.${layer}.ffn_down.weight`, WIDTH, FEED_FORWARD),
  ]);
  return [
    matrix("token_embd.weight", VOCABULARY, WIDTH),
    ...blocks.flat(),
    ones("output_norm.weight"),
  ];
}

function gguf(pairs: readonly [string, Value][], all: readonly Tensor[]): Uint8Array {
  let offset = 0;
  const directory = all.map(({ name, dimensions, numbers }) => {
    const entry = [text(name), u32(dimensions.length), ...dimensions.map(u64), u32(0), u64(offset)];
    offset += padded(numbers.byteLength);
    return Buffer.concat(entry);
  });
  const head = Buffer.concat([
    Buffer.from("GGUF"),
    u32(3),
    u64(all.length),
    u64(pairs.length),
    ...pairs.flatMap(([key, value]) => [text(key), encoded(value)]),
    ...directory,
  ]);
  const data = all.flatMap(({ numbers }) => [
    Buffer.from(numbers.buffer),
    padding(numbers.byteLength),
  ]);
  return Buffer.concat([head, padding(head.length), ...data]);
}

function encoded(value: Value): Buffer {
  if ("u16" in value) {
    return Buffer.concat([u32(2), u32(value.u16).subarray(0, 2)]);
  }
  if ("u32" in value) {
    return Buffer.concat([u32(4), u32(value.u32)]);
  }
  if ("i32" in value) {
    return Buffer.concat([u32(5), u32(value.i32)]);
  }
  if ("f32" in value) {
    const number = Buffer.alloc(4);
    number.writeFloatLE(value.f32);
    return Buffer.concat([u32(6), number]);
  }
  if ("text" in value) {
    return Buffer.concat([u32(8), text(value.text)]);
  }
  return "texts" in value
    ? Buffer.concat([u32(9), u32(8), u64(value.texts.length), ...value.texts.map(text)])
    : Buffer.concat([u32(9), u32(5), u64(value.i32s.length), ...value.i32s.map(u32)]);
}

/**
 * The characters that stand for bytes in GPT-2's vocabulary: themselves where they can be seen,
 * else those from 256 on.
 */
function byteTokens(): string[] {
  let unseen = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const seen = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    const code = seen ? byte : unseen;
    unseen += seen ? 0 : 1;
    return String.fromCodePoint(code);
  });
}

function u32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}

function u64(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(number));
  return bytes;
}

function text(string: string): Buffer {
  const bytes = Buffer.from(string);
  return Buffer.concat([u64(bytes.length), bytes]);
}

function padded(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function padding(length: number): Buffer {
  return Buffer.alloc(padded(length) - length);
}

/** Numbers from 0 to 1, the same for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
