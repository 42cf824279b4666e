//! A compiled chat template.

use super::environment::{BYTES_PER_FUEL, FUEL, NAME, environment, failed};
use super::mark::{self, Rendered};
use super::message::{self, Message};
use super::source;
use crate::text::TextError;
use crate::text::added::Kind;
use crate::text::limits::{MAX_TEMPLATE_BYTES, MAX_TEXT_BYTES};
use crate::text::tokenizer::Tokenizer;
use minijinja::{Environment, Value};
use serde_json::{Map, Value as Json};

/// The Jinja program that a model wants conversations written by.
///
/// It sees the values that the caller gives it. It has the names of `transformers`: `messages`,
/// `add_generation_prompt`, `bos_token`, `eos_token`, `tools` and `documents` (none),
/// `raise_exception`, `strftime_now`, `tojson`. It has Python's methods of strings, maps and lists.
///
/// Its work is bounded:
///
/// - Source: [`MAX_TEMPLATE_BYTES`], and a limit on the nesting of its code.
/// - Steps and memory: minijinja's fuel, 2^18 and one more per two bytes of the messages. A step is
///   an instruction, or 64 bytes made.
/// - Output: [`MAX_TEXT_BYTES`].
/// - A value that it keeps or writes: 100,000 values, lists in lists counted each time they occur.
///
/// Within a single expression minijinja counts a list once, however often it is repeated. A
/// malicious template can still take long there.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    /// A control token that the template puts together from parts.
    joined: Option<String>,
}

impl ChatTemplate {
    /// Compiles `source` for a model's vocabulary.
    pub(in crate::text) fn new(source: &str, tokenizer: &Tokenizer) -> Result<Self, TextError> {
        if source.len() > MAX_TEMPLATE_BYTES {
            let (have, most) = (source.len(), MAX_TEMPLATE_BYTES);
            let detail = format!("it has {have} bytes, at most {most} are read");
            return Err(TextError::template(&detail));
        }
        let lines = source::with_unix_lines(source);
        source::check(&lines)?;
        let mut template = Self {
            environment: environment(source::marked(&lines, &tokenizer.added))?,
            source: source.to_owned(),
            joined: None,
        };
        template.joined = template.joined_control(tokenizer);
        Ok(template)
    }

    /// The source, as the model's file has it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Renders a conversation.
    pub(in crate::text) fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
        values: &Map<String, Json>,
        tokenizer: &Tokenizer,
    ) -> Result<Rendered, TextError> {
        if let Some(token) = &self.joined {
            let token = crate::quoted::quoted(token);
            return Err(TextError::template(&format!(
                "it puts the control token {token} together from pieces, which can't be told from what a user writes"
            )));
        }
        self.run(messages, add_generation_prompt, values, tokenizer)
    }

    fn run(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
        values: &Map<String, Json>,
        tokenizer: &Tokenizer,
    ) -> Result<Rendered, TextError> {
        let bytes: usize = messages.iter().map(Message::bytes).sum();
        let bytes = bytes + message::bytes_of(values);
        if bytes > MAX_TEXT_BYTES {
            let most = MAX_TEXT_BYTES;
            return Err(TextError::TooLong { bytes, most });
        }
        let further = message::values_of(values)?;
        let values = messages.iter().map(Message::value);
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let time = tokenizer.time();
        let now = Value::from_function(move |format: &str| time.format(format));
        let mut context = vec![
            ("messages", Value::from(values)),
            ("add_generation_prompt", Value::from(add_generation_prompt)),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
            ("strftime_now", now),
        ];
        for (name, id) in [
            ("bos_token", tokenizer.bos()),
            ("eos_token", tokenizer.eos()),
        ] {
            let shown = id.filter(|&id| tokenizer.added_text(id).is_some());
            context.extend(shown.map(|id| (name, Value::from(mark::of(id)))));
        }
        let fixed = context.into_iter();
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value));
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(FUEL + bytes as u64 / BYTES_PER_FUEL));
        let template = environment.get_template(NAME).map_err(failed)?;
        let written = template
            .render(Value::from_pairs(further.into_iter().chain(fixed)))
            .map_err(failed)?;
        if written.len() > MAX_TEXT_BYTES {
            let (bytes, most) = (written.len(), MAX_TEXT_BYTES);
            return Err(TextError::TooLong { bytes, most });
        }
        mark::read(&written, |id| tokenizer.added_text(id))
    }

    /// Finds a control token that appears without its mark in harmless conversations. The template
    /// puts it together there, as in `'<|' + message['role'] + '|>'`.
    fn joined_control(&self, tokenizer: &Tokenizer) -> Option<String> {
        let all = ["system", "user", "assistant", "user"].map(|role| Message::new(role, "-"));
        // Not every template takes a system message. Its output for others is not tested here.
        [&all[..], &all[1..]].into_iter().find_map(|messages| {
            let rendered = self.run(messages, true, &Map::new(), tokenizer).ok()?;
            let text = &rendered.text;
            let wanted = |kind| kind == Kind::Control;
            let starts = |at| rendered.controls.iter().any(|(range, _)| range.start == at);
            let shown = tokenizer.added.find(text, 0..text.len(), wanted);
            let joined = shown.into_iter().find(|(range, _)| !starts(range.start));
            joined.map(|(range, _)| text[range].to_owned())
        })
    }
}
