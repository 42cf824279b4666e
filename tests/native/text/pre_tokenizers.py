"""Writes pre_tokenizers.json: what llama.cpp makes of some texts by each pre-tokenizer's name.

The vocabulary has the bytes, pairs and fours of bytes that the texts have, so that words are cut
where tokens end. For names whose tokens are of characters another one has these, but for some that
become bytes. Run with the folder of node-llama-cpp that recording.py says:
`python tests/native/text/pre_tokenizers.py FOLDER`. The tests read the file alone.
"""

import json
import pathlib
import sys

from recording import I32, STRING, U32, gguf, llamacpp

TEXTS = [
    "Hello world! It's 1234567 o'clock, I'LL go. We'd",
    "\n\n  indented\n\ttab\r\n\r\n x",
    "½ x²  3   12 Ⅷ ٣٤٥٦",
    "CamelCaseWord HTTPServer iPhone's McDONALD'S",
    "日本語テキストと中文 12345を。、",
    "naïve façade e\u0301 नमस्ते Ångström",
    "price: $1,234.56 (approx.) — “quoted”… ‘x’",
    "한국어 단어 조합",
    "x==1&&y>=2 //comment /a/b_c `z`~^|<=>",
    "ภาษาไทย မြန်မာ",
    "мир ЁЖ ქართული ἀρχή Ⴀა",
    "a  b   c    d     e                   f ",
    "!foo #bar -baz (qux) _x [y] 🚀🚀 end   ",
    "IMGIMGABZ<sentinel:12> ||| 000",
]
NAMES = """
gpt-2 phi-2 gigachat a.x-4.0 mellum exaone4 mpt olmo jais trillion granite-docling smollm
starcoder refact command-r codeshell exaone minerva-7b mellum2 llama-bpe llama3 llama-v3 falcon3
falcon-h1 pixtral midm-2.0 lfm2 smaug-bpe dbrx glm4 chatglm-bpe qwen2 deepseek-r1-qwen stablelm2
kormo f2llmv2 megrez hunyuan solar-open grok-2 qwen35 ufakzeka laguna minicpm5 jais-2 seed-coder
bailingmoe bailingmoe2 llada-moe exaone-moe tekken gpt-4o llama4 kanana2 talkie minimax-m2
granite-embed-multi-97m tiny_aya cohere2moe superbpe deepseek-v3 hunyuan-dense joyai-llm hy_v4
spark2_5 afmoe kimi-k2 youtu deepseek-coder deepseek-llm falcon poro-chat bloom gpt3-finnish
viking chameleon
""".split()


# Their tokens are of characters, and words are lines.
OF_CHARACTERS = ["gemma4", "granite-embed-multi-311m", "sarvam-moe"]
# Without several line breaks in a row, which not all of these names cut.
LINES = [
    "Hello world!  It's 1234567 o'clock. ",
    " two\nlines\r\n\tand ▁ spaces",
    "日本語 é e\u0301 🚀🚀 ½",
    "<0x41> <s> a",
]


def alphabet():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 400))
    return [chr(b) if b in printable else chr(next(others)) for b in range(256)]


def merged(texts):
    """Tokens of two and of four characters, and the merges that make them."""
    twos = sorted({one[i : i + 2] for one in texts for i in range(len(one) - 1)})
    fours = sorted({one[i : i + 4] for one in texts for i in range(len(one) - 3)})
    merges = [f"{two[0]} {two[1]}" for two in twos]
    merges += [f"{four[:2]} {four[2:]}" for four in fours]
    return twos, fours, merges


def file(model, name, tokens, types, merges):
    return gguf(
        [
            ("model", STRING, model),
            ("pre", STRING, name),
            ("tokens", STRING, tokens),
            ("token_type", I32, types),
            ("merges", STRING, merges),
            ("bos_token_id", U32, len(tokens) - 1),
        ]
    )


def by_rules(found):
    """Names of the same rules have the same tokens."""
    groups = {}
    for name, ids in found.items():
        groups.setdefault(json.dumps(ids), []).append(name)
    return [{"names": names, "ids": json.loads(ids)} for ids, names in groups.items()]


letters = alphabet()
twos, fours, merges = merged(["".join(letters[byte] for byte in one.encode()) for one in TEXTS])
tokens = [*letters, *twos, *fours, "<s>"]
types = [1] * (len(tokens) - 1) + [3]
files = {name: file("gpt2", name, tokens, types, merges) for name in NAMES}
rules = by_rules(llamacpp(sys.argv[1], files, TEXTS))

escaped = [one.replace(" ", "▁") for one in LINES]
characters = sorted({character for one in escaped for character in one} - set("語🚀½"))
kept = ["".join(it for it in one if it in characters and it != "\n") for one in escaped]
own_twos, own_fours, own_merges = merged(kept)
own = {f"<0x{byte:02X}>": 6 for byte in range(256)}
own |= dict.fromkeys([*characters, "\n\n", "\n\n\n", *own_twos, *own_fours], 1) | {"<s>": 3}
own_tokens, own_types = list(own), list(own.values())
files = {name: file("gpt2", name, own_tokens, own_types, own_merges) for name in OF_CHARACTERS}
files["model"] = file("gemma4", "gpt-2", own_tokens, own_types, own_merges)
found = llamacpp(sys.argv[1], files, LINES)
# Runs of line breaks that are tokens need no merges there.
RUNS = ["a\n\nb\n\n\nc\n"]
in_rows = llamacpp(sys.argv[1], {"gemma4": files["gemma4"]}, RUNS)

recorded = {
    "texts": TEXTS,
    "twos": twos,
    "fours": fours,
    "rules": rules,
    "characters": {
        "texts": LINES,
        "tokens": own_tokens,
        "types": own_types,
        "merges": own_merges,
        "rules": by_rules(found),
    },
    "runs": {"texts": RUNS, "rules": by_rules(in_rows)},
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(recorded).replace('{"names"', '\n{"names"') + "\n")
