//! SentencePiece's unigram model: the model `t5`, of pieces and scores, which are logarithms of
//! probabilities (Kudo, arXiv 1804.10959). Of all ways to cut a text the likeliest is taken.

use super::vocabulary::{UNKNOWN, Vocabulary};
use crate::formats::gguf::{Metadata, MetadataArray};
use crate::text::TextError;
use crate::text::added::Kind;
use crate::text::charsmap::{Charsmap, Spaces};
use crate::text::parts::{Marks, Normalization, Parts, Rules};
use crate::text::spelling::Spelling;

const CHARSMAP: &str = "tokenizer.ggml.precompiled_charsmap";

pub(super) fn parts(metadata: &Metadata) -> Result<Parts, TextError> {
    let vocabulary = Vocabulary::read(metadata)?;
    let flag = |key: &str| metadata.boolean(&format!("tokenizer.ggml.{key}"));
    let spaces = Spaces {
        prefix: flag("add_space_prefix")?.unwrap_or(false),
        merge: flag("remove_extra_whitespaces")?.unwrap_or(false),
    };
    let charsmap = charsmap(metadata)?.map(Normalization::Charsmap);
    let scores = vocabulary.scores()?;
    let spelling = Spelling::SentencePiece {
        strip_space: spaces.prefix || spaces.merge,
    };
    let rules = Rules {
        normalizers: charsmap
            .into_iter()
            .chain([Normalization::Spaces(spaces)])
            .collect(),
        fuse_unknown: true,
        unknown: unknown(&vocabulary),
        ..Rules::default()
    };
    let adds_bos = |said: Option<bool>| said.unwrap_or(false);
    let marks = super::marks(metadata, &vocabulary, defaults(&vocabulary), adds_bos)?;
    for (_, text, _) in vocabulary.iter() {
        vocabulary.check_length(text)?;
    }
    let mut parts = vocabulary.parts(spelling, rules, marks)?;
    // Only pieces of text count where unknown characters are made less likely than any.
    let pairs = vocabulary.iter().zip(scores.iter());
    let scores = pairs.map(|((_, _, kind), &score)| match kind {
        Kind::Normal => score.into(),
        _ => 0.0,
    });
    parts.scores = Some(scores.collect());
    // No text means a byte's token.
    parts
        .vocab
        .retain(|_, id| vocabulary.kind(*id) == Some(Kind::Normal));
    Ok(parts)
}

/// T5's own numbers, if these are such tokens.
fn defaults(vocabulary: &Vocabulary<'_>) -> Marks {
    Marks {
        eos: Some(1).filter(|&id| vocabulary.kind(id) == Some(Kind::Control)),
        ..Marks::default()
    }
}

/// The text of the unknown token: by the file's key, else by its type.
fn unknown(vocabulary: &Vocabulary<'_>) -> Option<String> {
    let id = vocabulary.id(UNKNOWN).or(vocabulary.first_unknown());
    let text = id.and_then(|id| vocabulary.text(id));
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn charsmap(metadata: &Metadata) -> Result<Option<Charsmap>, TextError> {
    let bytes = match metadata.array(CHARSMAP)? {
        None => return Ok(None),
        Some(MetadataArray::U8(bytes)) => bytes.clone(),
        Some(MetadataArray::I8(bytes)) => bytes.iter().map(|&byte| byte as u8).collect(),
        Some(_) => {
            let found = "an array of others";
            return Err(metadata.unfit(CHARSMAP, found, "an array of bytes").into());
        }
    };
    Charsmap::read(&bytes).map(Some)
}
