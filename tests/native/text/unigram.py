"""Writes unigram.json: a small unigram model trained by SentencePiece, and what it and llama.cpp
make of some texts.

Run with sentencepiece 0.2 and the folder of node-llama-cpp that recording.py says:
`python tests/native/text/unigram.py FOLDER`. The tests read the file alone.
"""

import base64
import io
import json
import pathlib
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from recording import BOOL, F32, I32, STRING, TRAINED_ON, U8, gguf, llamacpp

TEXTS = [
    "",
    " ",
    "the keeper of the light",
    " the keeper",
    "the  other   ships ",
    "aaaaaaaaa aaaa aaaaaaa",
    "été très naïve",
    "2024 + 366 = 2390",
    "日本語 and 中文",
    "oﬃce ﬁsh x² ＡＢ",
    "<s> </s> <unk> <0x41>",
    "storm storms stormy restorms shellsshells seashells",
]
RULES = {"ﬁ": "fi", "ﬃ": "ffi", "²": "2", "Ａ": "a", "Ｂ": "b", "ﬁs": "fiz"}



def points(text):
    return " ".join(f"{ord(character):X}" for character in text)


def trained(rules, merge):
    """A model, and its texts as it cuts them."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINED_ON * 4),
        model_writer=written,
        model_type="unigram",
        vocab_size=80,
        normalization_rule_tsv=str(rules),
        remove_extra_whitespaces=merge,
        add_dummy_prefix=True,
        character_coverage=1.0,
        unk_id=2,
        bos_id=-1,
        eos_id=1,
        pad_id=0,
        minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    proto = sentencepiece_model_pb2.ModelProto.FromString(written.getvalue())
    charsmap = proto.normalizer_spec.precompiled_charsmap
    return {
        "merge": merge,
        "charsmap": base64.b64encode(charsmap).decode(),
        "tokens": [piece.piece for piece in proto.pieces],
        "scores": [piece.score for piece in proto.pieces],
        "types": [piece.type for piece in proto.pieces],
        "texts": [{"text": text, "ids": model.encode(text)} for text in TEXTS],
    }


def file(model):
    return gguf(
        [
            ("model", STRING, "t5"),
            ("tokens", STRING, model["tokens"]),
            ("scores", F32, model["scores"]),
            ("token_type", I32, model["types"]),
            ("precompiled_charsmap", U8, list(base64.b64decode(model["charsmap"]))),
            ("add_space_prefix", BOOL, True),
            ("remove_extra_whitespaces", BOOL, model["merge"]),
        ]
    )


with tempfile.TemporaryDirectory() as folder:
    rules = pathlib.Path(folder) / "rules.tsv"
    rules.write_text("".join(f"{points(a)}\t{points(b)}\n" for a, b in RULES.items()))
    recorded = [trained(rules, merge) for merge in (True, False)]
found = llamacpp(sys.argv[1], {str(model["merge"]): file(model) for model in recorded}, TEXTS)
for model in recorded:
    for one, ids in zip(model["texts"], found[str(model["merge"])]):
        # It adds EOS, which nobody wants before an answer.
        one["llamacpp"] = ids[:-1] if ids[-1:] == [1] else ids
        if one["llamacpp"] != one["ids"]:
            print("differ:", model["merge"], one, file=sys.stderr)
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(recorded).replace('{"text"', '\n{"text"') + "\n")
