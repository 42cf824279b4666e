"""What the scripts share that record how other programs cut texts: texts to train vocabularies on,
GGUF files of vocabularies alone, and llama.cpp.

llama.cpp comes with node-llama-cpp: a folder in which `npm install node-llama-cpp@3.22.1` was run.
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

TRAINED_ON = [
    "the lighthouse keeper told the other keepers the whole story of the storm",
    "a keeper keeps the light; the light keeps the ships away from the rocks",
    "les phares guident les bateaux, été comme hiver, depuis très longtemps",
    "1 + 1 = 2, 12 + 13 = 25, and 2024 was a leap year of 366 days",
    "she sells sea shells on the sea shore, and the shells she sells are sea shells",
    "aaaa aaaaa aaa aa a bababab ababa    spaces     in    rows",
]

# Types of values in GGUF files.
U8, U32, I32, F32, BOOL, STRING, ARRAY = 0, 4, 5, 6, 7, 8, 9
CODES = {U8: "B", U32: "I", I32: "i", F32: "f", BOOL: "?"}

SIZES = {
    "block_count": 1,
    "context_length": 512,
    "embedding_length": 64,
    "feed_forward_length": 64,
    "attention.head_count": 2,
}

SCRIPT = """
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const [, , packages, folder] = process.argv;
const library = `${packages}/node_modules/node-llama-cpp/dist/index.js`;
const { getLlama } = await import(pathToFileURL(library).href);
const { names, texts } = JSON.parse(readFileSync(`${folder}/plan.json`, "utf8"));
const llama = await getLlama({ gpu: false, build: "never", logLevel: "disabled" });
for (const name of names) {
  try {
    const modelPath = `${folder}/${name}.gguf`;
    const model = await llama.loadModel({ modelPath, vocabOnly: true });
    const ids = texts.map((text) => [...model.tokenize(text, false)]);
    console.log(JSON.stringify({ name, ids }));
    await model.dispose();
  } catch (error) {
    console.error(name, String(error));
  }
}
process.exit(0);
"""


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def one(kind, value):
    return text(value) if kind == STRING else struct.pack("<" + CODES[kind], value)


def pair(key, kind, value):
    """A key and its value; of a list, each of its elements is of `kind`."""
    if isinstance(value, list):
        elements = b"".join(one(kind, element) for element in value)
        return text(key) + struct.pack("<IIQ", ARRAY, kind, len(value)) + elements
    return text(key) + struct.pack("<I", kind) + one(kind, value)


def gguf(pairs):
    """A file without tensors that says to be a small Llama; `pairs` are keys, types and values."""
    all_pairs = [
        pair("general.architecture", STRING, "llama"),
        *(pair(f"llama.{key}", U32, size) for key, size in SIZES.items()),
        pair("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
        *(pair(f"tokenizer.ggml.{key}", kind, value) for key, kind, value in pairs),
    ]
    header = b"GGUF" + struct.pack("<IQQ", 3, 0, len(all_pairs)) + b"".join(all_pairs)
    return header + bytes(-len(header) % 32)


def llamacpp(packages, files, texts):
    """The tokens that llama.cpp gives each of `texts`, by the name of a vocabulary's file in
    `files`. Names that this llama.cpp does not know are left out, with its reason."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        for name, file in files.items():
            (place / f"{name}.gguf").write_bytes(file)
        (place / "plan.json").write_text(json.dumps({"names": list(files), "texts": texts}))
        (place / "script.mjs").write_text(SCRIPT)
        command = ["node", place / "script.mjs", pathlib.Path(packages).absolute(), folder]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    print(ran.stderr[-2000:], end="", file=sys.stderr)
    found = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    return {one["name"]: one["ids"] for one in found}
