//! Tokenizers from the `tokenizer.ggml.*` keys of a GGUF file
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer>).

mod byte_level;
mod pieces;
mod sentencepiece;

use super::TextError;
use super::parts::{Marks, Parts};
use crate::formats::gguf::Metadata;
use pieces::Pieces;

const MODEL: &str = "tokenizer.ggml.model";

/// Reads and checks everything.
pub(super) fn parts(metadata: &Metadata) -> Result<Parts, TextError> {
    let parts = match metadata.required(MODEL, Metadata::text)? {
        "gpt2" => byte_level::parts(metadata)?,
        "llama" => sentencepiece::parts(metadata)?,
        other => {
            return Err(TextError::unsupported(
                MODEL,
                crate::quoted::quoted(other),
                "gpt2 and llama",
            ));
        }
    };
    let template = metadata.text("tokenizer.chat_template")?;
    Ok(Parts {
        template: template.map(str::to_owned),
        ..parts
    })
}

/// The marks that the metadata names, checked; `defaults` are those of a file that does not.
fn marks(metadata: &Metadata, pieces: &Pieces<'_>, defaults: Marks) -> Result<Marks, TextError> {
    let id = |key| pieces.id(metadata, key);
    let ends = [
        id("tokenizer.ggml.eot_token_id")?,
        id("tokenizer.ggml.eom_token_id")?,
    ];
    let bos = id(pieces::BOS)?.or(defaults.bos);
    let add_bos = metadata.boolean("tokenizer.ggml.add_bos_token")?;
    Ok(Marks {
        bos,
        eos: id(pieces::EOS)?.or(defaults.eos),
        ends: ends.into_iter().flatten().collect(),
        add_bos: add_bos.unwrap_or(defaults.add_bos) && bos.is_some(),
    })
}
