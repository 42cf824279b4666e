//! Messages of a conversation.

use super::mark;
use crate::text::TextError;
use minijinja::Value;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// Nesting limit of a message's further fields.
const MAX_DEPTH: usize = 32;

/// One message of a conversation, as chat APIs have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Message {
    /// Speaker: `system`, `user`, `assistant`, or another role of the model's template.
    pub role: String,
    /// Text of the message.
    pub content: String,
    /// Other fields that the model's template reads, such as `name`. A template sees the fields of
    /// each in alphabetical order.
    #[serde(flatten)]
    #[cfg_attr(target_family = "wasm", tsify(type = "Record<string, unknown>"))]
    pub more: Map<String, Json>,
}

impl Message {
    /// Creates a message of a role and a content alone.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
            more: Map::new(),
        }
    }

    /// Bytes of text in the message.
    pub(super) fn bytes(&self) -> usize {
        self.role.len() + self.content.len() + bytes_of(&self.more)
    }

    /// The message for a template, with no mark of a control token in it.
    pub(super) fn value(&self) -> Result<Value, TextError> {
        let text = |text: &str| Value::from(mark::escaped(text).into_owned());
        let known = [("role", &self.role), ("content", &self.content)];
        let known = known.map(|(key, field)| (key.to_owned(), text(field)));
        let more = self.more.iter();
        let more = more.filter(|(key, _)| !matches!(key.as_str(), "role" | "content"));
        let more = more.map(|(key, field)| {
            let key = mark::escaped(key).into_owned();
            Ok((key, value(field, MAX_DEPTH)?))
        });
        let fields = known.into_iter().map(Ok).chain(more);
        fields.collect::<Result<Vec<_>, _>>().map(Value::from_pairs)
    }
}

/// Bytes of text in a template's values.
pub(super) fn bytes_of(values: &Map<String, Json>) -> usize {
    let values = values.iter();
    values.map(|(key, value)| key.len() + bytes(value)).sum()
}

/// A template's values, with no mark of a control token in them.
pub(super) fn values_of(values: &Map<String, Json>) -> Result<Vec<(String, Value)>, TextError> {
    let values = values.iter();
    let values = values.map(|(key, json)| Ok((key.clone(), value(json, MAX_DEPTH)?)));
    values.collect()
}

fn bytes(json: &Json) -> usize {
    match json {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(bytes).sum(),
        Json::Object(fields) => fields
            .iter()
            .map(|(key, field)| key.len() + bytes(field))
            .sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 8,
    }
}

fn value(json: &Json, depth: usize) -> Result<Value, TextError> {
    let deeper = depth.checked_sub(1).ok_or_else(|| {
        TextError::template(&format!("a message is nested more than {MAX_DEPTH} deep"))
    })?;
    Ok(match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64()),
        },
        Json::String(text) => Value::from(mark::escaped(text).into_owned()),
        Json::Array(items) => {
            let items = items.iter().map(|item| value(item, deeper));
            Value::from(items.collect::<Result<Vec<_>, _>>()?)
        }
        Json::Object(fields) => {
            let fields = fields.iter().map(|(key, field)| {
                let key = mark::escaped(key).into_owned();
                Ok((key, value(field, deeper)?))
            });
            Value::from_pairs(fields.collect::<Result<Vec<_>, TextError>>()?)
        }
    })
}
