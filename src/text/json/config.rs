//! The fields of `tokenizer_config.json` that kvscope reads.

use crate::text::TextError;
use serde::Deserialize;

#[derive(Default, Deserialize)]
pub(super) struct Config {
    bos_token: Option<Token>,
    eos_token: Option<Token>,
    pub(super) add_bos_token: Option<bool>,
    chat_template: Option<Template>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Text(String),
    Added { content: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Template {
    One(String),
    Named(Vec<Named>),
}

#[derive(Deserialize)]
struct Named {
    name: String,
    template: String,
}

impl Config {
    pub(super) fn bos(&self) -> Option<&str> {
        self.bos_token.as_ref().map(Token::text)
    }

    pub(super) fn eos(&self) -> Option<&str> {
        self.eos_token.as_ref().map(Token::text)
    }

    /// The chat template; of several the one named `default`, as in `transformers`.
    pub(super) fn template(&self) -> Result<Option<String>, TextError> {
        let named = match &self.chat_template {
            None => return Ok(None),
            Some(Template::One(source)) => return Ok(Some(source.clone())),
            Some(Template::Named(named)) => named,
        };
        let default = named.iter().find(|template| template.name == "default");
        match default {
            Some(template) => Ok(Some(template.template.clone())),
            None if named.is_empty() => Ok(None),
            None => {
                let what = "chat_template of tokenizer_config.json";
                Err(TextError::malformed(
                    what,
                    "a list",
                    "one that is called default",
                ))
            }
        }
    }
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Added { content: text } => text,
        }
    }
}
