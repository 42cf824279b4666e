"""Writes pieces.json: a small vocabulary trained by SentencePiece itself, and what it makes of some
texts.

Run with sentencepiece 0.2: `python tests/native/text/pieces.py`. The tests read the file alone.
"""

import io
import json
import pathlib

import sentencepiece

from recording import TRAINED_ON

TEXTS = [
    "",
    " ",
    "   ",
    "the keeper of the light",
    " the keeper",
    "the  other   ships ",
    "aaaaaaaaa aaaa aaaaaaa",
    "bababababa abab",
    "été très naïve",
    "2024 + 366 = 2390",
    "日本語 and 中文",
    "emoji 👩\u200d🚀 é e\u0301",
    "line\nbreak\r\n\ttab",
    "<s> </s> <unk> <0x41> <|user|>",
    "▁the▁keeper",
    "\ufdd0\u0000\u007f",
    "storm storms stormy restorms shellsshells seashells",
]

trained = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(TRAINED_ON * 4),
    model_writer=trained,
    model_type="bpe",
    vocab_size=420,
    byte_fallback=True,
    normalization_rule_name="identity",
    remove_extra_whitespaces=False,
    add_dummy_prefix=True,
    character_coverage=1.0,
    minloglevel=2,
)
model = sentencepiece.SentencePieceProcessor(model_proto=trained.getvalue())


def token_type(token):
    if model.is_unknown(token):
        return 2
    if model.is_control(token):
        return 3
    return 6 if model.is_byte(token) else 1


tokens = range(model.get_piece_size())
recorded = {
    "tokens": [model.id_to_piece(token) for token in tokens],
    "scores": [model.get_score(token) for token in tokens],
    "types": [token_type(token) for token in tokens],
    "texts": [
        {"text": text, "ids": model.encode(text), "decoded": model.decode(model.encode(text))}
        for text in TEXTS
    ],
}
path = pathlib.Path(__file__).with_suffix(".json")
written = json.dumps(recorded, ensure_ascii=False)
path.write_text(written.replace('{"text"', '\n{"text"') + "\n")
