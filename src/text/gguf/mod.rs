//! Tokenizers from the `tokenizer.ggml.*` keys of a GGUF file
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer>).

mod bpe;
mod sentencepiece;
mod unigram;
mod vocabulary;

use super::TextError;
use super::parts::{Marks, Parts};
use crate::formats::gguf::Metadata;
use vocabulary::Vocabulary;

const MODEL: &str = "tokenizer.ggml.model";
const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";
const ADD_EOS: &str = "tokenizer.ggml.add_eos_token";

/// Reads and checks everything.
pub(super) fn parts(metadata: &Metadata) -> Result<Parts, TextError> {
    let parts = match metadata.required(MODEL, Metadata::text)? {
        "gpt2" => bpe::parts(metadata, None)?,
        // It has one pre-tokenizer, whatever the file says.
        "gemma4" => bpe::parts(metadata, Some("gemma4"))?,
        "llama" => sentencepiece::parts(metadata)?,
        "t5" => unigram::parts(metadata)?,
        other => {
            return Err(TextError::unsupported(
                MODEL,
                crate::quoted::quoted(other),
                "gpt2, gemma4, llama and t5",
            ));
        }
    };
    let template = metadata.text("tokenizer.chat_template")?;
    Ok(Parts {
        template: template.map(|source| Ok(source.to_owned())),
        ..parts
    })
}

/// The marks that the metadata names, checked; `defaults` are those of a file that does not.
/// `add_bos` tells whether prompts begin with BOS, by what the file says of it.
fn marks(
    metadata: &Metadata,
    vocabulary: &Vocabulary<'_>,
    defaults: Marks,
    add_bos: impl FnOnce(Option<bool>) -> bool,
) -> Result<Marks, TextError> {
    let bos = vocabulary.id(vocabulary::BOS).or(defaults.bos);
    let add_bos = add_bos(metadata.boolean(ADD_BOS)?);
    if matches!(metadata.boolean(ADD_EOS), Ok(Some(true))) {
        // It would end every prompt, and the answer with it.
        log::warn!("{ADD_EOS} is passed over: prompts go on");
    }
    Ok(Marks {
        bos,
        eos: vocabulary.id(vocabulary::EOS).or(defaults.eos),
        ends: vocabulary.ends(),
        add_bos: add_bos && bos.is_some(),
    })
}
