//! From text to tokens.

use super::added::{AddedTokens, Found, Kind};
use super::chat::{ChatTemplate, Date, Message, Time};
use super::limits::MAX_TEXT_BYTES;
use super::parts::{Marks, Parts, Rules, WordModel};
use super::spelling::Spelling;
use super::{TextError, gguf, json};
use crate::formats::gguf::Metadata;
use serde_json::{Map, Value as Json};
use std::ops::Range;
use tokenizers::normalizer::Range as In;
use tokenizers::{NormalizedString, OffsetType, PreTokenizedString, PreTokenizer, Token};

/// Meaning of a control token's text within a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controls {
    /// Control tokens: for prompts that a program writes.
    Read,
    /// Text like any other: for what users write. Then no text gives a control token.
    AsText,
}

/// A model's vocabulary, the rules by which text becomes its tokens, and its chat template.
///
/// Characters without a token, not even of bytes, become the unknown token. Without an unknown
/// token they become nothing, as some control characters in SmolLM2's. Other implementations do the
/// same.
#[derive(Debug)]
pub struct Tokenizer {
    model: WordModel,
    rules: Rules,
    pub(super) added: AddedTokens,
    pub(super) spelling: Spelling,
    vocabulary: usize,
    marks: Marks,
    template: Option<Result<ChatTemplate, TextError>>,
    /// The time that templates see; `None` for that of the user's clock.
    time: Option<Time>,
}

/// Files of a model's folder that say how its text becomes tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenizerFiles<'a> {
    /// `tokenizer.json`.
    pub tokenizer: &'a [u8],
    /// `tokenizer_config.json`.
    pub tokenizer_config: Option<&'a [u8]>,
    /// `chat_template.jinja`, which newer models have instead of a field of the former.
    pub chat_template: Option<&'a [u8]>,
    /// `config.json`, which names tokens that end a turn.
    pub config: Option<&'a [u8]>,
    /// `generation_config.json`, which does so too.
    pub generation_config: Option<&'a [u8]>,
}

impl Tokenizer {
    /// Reads the tokenizer of a GGUF file's metadata: `gpt2`, `gemma4`, `llama` or `t5`.
    ///
    /// `gpt2` is BPE with the pre-tokenizer that the file names, nearly always of bytes. `default`
    /// and no name mean GPT-2's. `gemma4` is BPE of characters, `llama` SentencePiece's BPE, `t5`
    /// its unigram model. An unusable chat template is reported by
    /// [`encode_chat`](Self::encode_chat), not here.
    ///
    /// # Errors
    ///
    /// [`TextError::Metadata`] with the key, its place and the expected value;
    /// [`TextError::Unsupported`] with the values that kvscope knows.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, TextError> {
        Self::from_parts(gguf::parts(metadata)?)
    }

    /// Reads the tokenizer of Hugging Face's files: BPE, byte-level or as SentencePiece's, or a
    /// unigram model.
    ///
    /// Tokens added whole are found in a text before normalization, whatever the file says of them.
    ///
    /// # Errors
    ///
    /// [`TextError::Malformed`] and [`TextError::Unsupported`].
    pub fn from_json(
        tokenizer_json: &[u8],
        tokenizer_config_json: Option<&[u8]>,
    ) -> Result<Self, TextError> {
        Self::from_files(&TokenizerFiles {
            tokenizer: tokenizer_json,
            tokenizer_config: tokenizer_config_json,
            ..TokenizerFiles::default()
        })
    }

    /// Reads the tokenizer of a model's folder, as [`from_json`](Self::from_json) does. Every token
    /// that one of the files names as an end is one. An unusable chat template is reported by
    /// [`encode_chat`](Self::encode_chat), not here.
    ///
    /// # Errors
    ///
    /// [`TextError::Malformed`] and [`TextError::Unsupported`].
    pub fn from_files(files: &TokenizerFiles<'_>) -> Result<Self, TextError> {
        Self::from_parts(json::parts(files)?)
    }

    fn from_parts(mut parts: Parts) -> Result<Self, TextError> {
        let model = parts.take_model()?;
        let mut tokenizer = Self {
            model,
            rules: parts.rules,
            added: parts.added,
            spelling: parts.spelling,
            vocabulary: parts.vocabulary,
            marks: parts.marks,
            template: None,
            time: Some(Time::default()),
        };
        if let Some(source) = parts.template {
            let template = source.and_then(|source| ChatTemplate::new(&source, &tokenizer));
            tokenizer.template = Some(template);
        }
        Ok(tokenizer)
    }

    /// Replaces the chat template, for models without one or with it in a separate file.
    ///
    /// # Errors
    ///
    /// [`TextError::ChatTemplate`] for an unusable one.
    pub fn with_chat_template(mut self, source: &str) -> Result<Self, TextError> {
        self.template = Some(Ok(ChatTemplate::new(source, &self)?));
        Ok(self)
    }

    /// Sets the day that chat templates see as today, at midnight; [`Date::default`] by default.
    pub fn with_date(self, date: Date) -> Self {
        self.with_time(Time::from(date))
    }

    /// Sets the time that chat templates see.
    pub fn with_time(mut self, time: Time) -> Self {
        self.time = Some(time);
        self
    }

    /// Has chat templates see the time of the user's clock, as engines that are opened do.
    pub fn with_users_time(mut self) -> Self {
        self.time = None;
        self
    }

    /// The time that chat templates see.
    pub(super) fn time(&self) -> Time {
        self.time.unwrap_or_else(Time::now)
    }

    /// Encodes `text` alone, without a BOS token before it.
    ///
    /// # Errors
    ///
    /// [`TextError::TooLong`], or [`TextError::Encode`] where a rule gives up.
    pub fn encode(&self, text: &str, controls: Controls) -> Result<Vec<u32>, TextError> {
        let found = self.added.find(text, 0..text.len(), |kind| match kind {
            Kind::UserDefined => true,
            Kind::Control | Kind::Lookalike | Kind::Unknown => controls == Controls::Read,
            Kind::Normal | Kind::Unused | Kind::Byte => false,
        });
        self.encode_around(text, &found)
    }

    /// Encodes a whole prompt that a program wrote. Control tokens are read, and the BOS token
    /// comes first if the model wants it and the prompt lacks it.
    ///
    /// # Errors
    ///
    /// Those of [`encode`](Self::encode).
    pub fn encode_prompt(&self, prompt: &str) -> Result<Vec<u32>, TextError> {
        Ok(self.begun(self.encode(prompt, Controls::Read)?))
    }

    /// Encodes a conversation by the model's chat template. `add_generation_prompt` adds the
    /// beginning of the answer. The BOS token comes first if template or model want it, and never
    /// twice.
    ///
    /// Control tokens come from the template alone. Messages never become one, whatever they hold
    /// and whatever the template does with them.
    ///
    /// # Errors
    ///
    /// [`TextError::ChatTemplate`] if there is no template, or it is unusable, refuses the messages
    /// or works too long. Otherwise those of [`encode`](Self::encode).
    pub fn encode_chat(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<Vec<u32>, TextError> {
        self.encode_chat_with(messages, add_generation_prompt, &Map::new())
    }

    /// Encodes a conversation as [`encode_chat`](Self::encode_chat) does, by a template that also
    /// sees `values` under their names. Those that every template has stay as they are.
    ///
    /// # Errors
    ///
    /// Those of [`encode_chat`](Self::encode_chat).
    pub fn encode_chat_with(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
        values: &Map<String, Json>,
    ) -> Result<Vec<u32>, TextError> {
        let rendered =
            self.chat_template()?
                .render(messages, add_generation_prompt, values, self)?;
        let mut found = Vec::new();
        let mut free = 0;
        for (range, id) in rendered.controls {
            found.extend(self.user_defined(&rendered.text, free..range.start));
            free = range.end;
            found.push((range, id));
        }
        found.extend(self.user_defined(&rendered.text, free..rendered.text.len()));
        Ok(self.begun(self.encode_around(&rendered.text, &found)?))
    }

    /// The chat template.
    ///
    /// # Errors
    ///
    /// [`TextError::ChatTemplate`] if there is none or it is unusable.
    pub fn chat_template(&self) -> Result<&ChatTemplate, TextError> {
        match &self.template {
            Some(Ok(template)) => Ok(template),
            Some(Err(error)) => Err(error.clone()),
            None => Err(TextError::template(
                "the model has none: give one, or a whole prompt instead of messages",
            )),
        }
    }

    /// Number of token ids; a model may have more logits.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The token that begins a text.
    pub fn bos(&self) -> Option<u32> {
        self.marks.bos
    }

    /// The token that ends a text.
    pub fn eos(&self) -> Option<u32> {
        self.marks.eos
    }

    /// Returns whether prompts begin with the BOS token.
    pub fn adds_bos(&self) -> bool {
        self.marks.add_bos
    }

    /// All tokens that end a turn, in order. The file names some (EOS, end of turn, end of
    /// message). Others are known ones of the vocabulary, such as `<|im_end|>`.
    pub fn stop_tokens(&self) -> Vec<u32> {
        self.marks.stops(&self.added)
    }

    /// The bytes that a token adds to a text; `None` beyond the vocabulary. They need not be whole
    /// characters: see [`Detokenizer`](super::Detokenizer). A control token gives the text written
    /// for it.
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        match self.added.get(id) {
            Some(added) => Some(added.text.clone().into_bytes()),
            None => Some(self.spelling.bytes(&self.model.text(id)?)),
        }
    }

    /// Returns whether a text's first token is written with a space that is not the text's, as in
    /// SentencePiece's vocabularies.
    pub fn begins_with_space(&self) -> bool {
        self.spelling == Spelling::SentencePiece { strip_space: true }
    }

    /// Returns whether a token is a mark for the model and not text.
    pub fn is_control(&self, id: u32) -> bool {
        self.kind(id) == Some(Kind::Control)
    }

    /// The token that is written as `text`, if it is a mark, which adds no text to an answer.
    pub fn mark(&self, text: &str) -> Option<u32> {
        self.added.id(text).filter(|id| self.is_mark(*id))
    }

    /// Returns whether a token adds no text to an answer.
    pub fn is_mark(&self, id: u32) -> bool {
        let kind = self.kind(id);
        matches!(kind, Some(Kind::Control | Kind::Unknown | Kind::Unused))
    }

    /// The text of a token that was added whole.
    pub(super) fn added_text(&self, id: u32) -> Option<&str> {
        self.added.get(id).map(|added| added.text.as_str())
    }

    /// A token's kind; `None` outside the vocabulary.
    pub(super) fn kind(&self, id: u32) -> Option<Kind> {
        match self.added.get(id) {
            Some(added) => Some(added.kind),
            None => self.model.text(id).map(|_| Kind::Normal),
        }
    }

    fn user_defined(&self, text: &str, range: Range<usize>) -> Vec<Found> {
        let wanted = |kind| kind == Kind::UserDefined;
        self.added.find(text, range, wanted)
    }

    fn begun(&self, mut ids: Vec<u32>) -> Vec<u32> {
        if let Some(bos) = self.marks.bos
            && self.marks.add_bos
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        ids
    }

    /// Encodes `text` around the tokens in `found`, which are certain.
    fn encode_around(&self, text: &str, found: &[Found]) -> Result<Vec<u32>, TextError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(TextError::TooLong {
                bytes: text.len(),
                most: MAX_TEXT_BYTES,
            });
        }
        self.try_encode_around(text, found)
            .map_err(TextError::encode)
    }

    fn try_encode_around(&self, text: &str, found: &[Found]) -> tokenizers::Result<Vec<u32>> {
        let mut words = PreTokenizedString::from(text);
        words.split(|_, whole| pieces(&whole, found))?;
        for normalizer in &self.rules.normalizers {
            words.normalize(|piece| normalizer.normalize(piece))?;
        }
        if let Some(pre_tokenizer) = &self.rules.pre_tokenizer {
            pre_tokenizer.pre_tokenize(&mut words)?;
        }
        words.tokenize(|word| self.model.tokenize(word.get(), &self.rules))?;
        let encoding = words.into_encoding(None, 0, OffsetType::None)?;
        Ok(encoding.get_ids().to_vec())
    }
}

/// A text cut before and after each token found in it.
fn pieces(
    whole: &NormalizedString,
    found: &[Found],
) -> tokenizers::Result<Vec<(NormalizedString, Option<Vec<Token>>)>> {
    let cut = |range: Range<usize>| {
        let piece = whole.slice(In::Normalized(range));
        piece.ok_or("a token was found outside the text")
    };
    let mut pieces = Vec::with_capacity(2 * found.len() + 1);
    let mut free = 0;
    for (range, id) in found {
        pieces.push((cut(free..range.start)?, None));
        let token = Token::new(*id, String::new(), (range.start, range.end));
        pieces.push((cut(range.clone())?, Some(vec![token])));
        free = range.end;
    }
    pieces.push((cut(free..whole.len())?, None));
    Ok(pieces)
}
