//! The fields of `tokenizer_config.json` that kvscope reads.

use crate::quoted::shortened;
use crate::text::TextError;
use serde::Deserialize;
use serde_json::Value as Json;

/// Any of them may be of a type that says nothing, and is then as good as missing.
///
/// `add_bos_token` is not among them: beside a `tokenizer.json`, transformers 5 does not read it.
#[derive(Default, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    bos_token: Json,
    #[serde(default)]
    eos_token: Json,
    #[serde(default)]
    chat_template: Json,
}

/// The fields of `config.json` and `generation_config.json` that are a tokenizer's.
#[derive(Default, Deserialize)]
pub(super) struct Ends {
    #[serde(default)]
    eos_token_id: Json,
}

impl Config {
    pub(super) fn bos(&self) -> Option<&str> {
        token(&self.bos_token)
    }

    pub(super) fn eos(&self) -> Option<&str> {
        token(&self.eos_token)
    }

    /// The chat template; of several the one named `default`, as in `transformers`.
    pub(super) fn template(&self) -> Result<Option<String>, TextError> {
        let wrong = |found| {
            let expected = "a text, or a list with one that is called default";
            let what = "chat_template of tokenizer_config.json";
            let detail = format!("{what} is {found}, expected {expected}");
            Err(TextError::template(&detail))
        };
        match &self.chat_template {
            Json::Null => Ok(None),
            Json::String(source) => Ok(Some(source.clone())),
            Json::Array(named) if named.is_empty() => Ok(None),
            Json::Array(named) => {
                let text = |template: &Json, key| Some(template.get(key)?.as_str()?.to_owned());
                let mut named = named.iter();
                let default = named.find(|it| text(it, "name").as_deref() == Some("default"));
                match default.and_then(|it| text(it, "template")) {
                    Some(source) => Ok(Some(source)),
                    None => wrong("a list without such a one"),
                }
            }
            _ => wrong("another thing"),
        }
    }
}

/// A token's text, by itself or in an object.
fn token(field: &Json) -> Option<&str> {
    field.as_str().or_else(|| field.get("content")?.as_str())
}

impl Ends {
    /// The numbers of the tokens, one or a list of them; those below `tokens`.
    pub(super) fn ids(&self, file: &str, tokens: usize) -> Vec<u32> {
        let listed = match &self.eos_token_id {
            Json::Null => &[],
            Json::Array(ids) => ids.as_slice(),
            id => std::slice::from_ref(id),
        };
        let (mut ids, mut passed_over) = (Vec::new(), None);
        for id in listed {
            let number = id.as_u64().and_then(|id| u32::try_from(id).ok());
            match number.filter(|&id| (id as usize) < tokens) {
                Some(id) => ids.push(id),
                None => passed_over = Some(id),
            }
        }
        if let Some(id) = passed_over {
            let id = shortened(&id.to_string());
            log::warn!("eos_token_id of {file} has {id}, which is no token's number");
        }
        ids
    }
}
