//! From text to tokens.

use super::added::{AddedTokens, Found, Kind};
use super::chat::{ChatTemplate, Date, Message};
use super::limits::MAX_TEXT_BYTES;
use super::parts::{Marks, Parts, Rules};
use super::spelling::Spelling;
use super::{TextError, gguf, json};
use crate::formats::gguf::Metadata;
use std::ops::Range;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizer::Range as In;
use tokenizers::{
    Model, NormalizedString, Normalizer, OffsetType, PreTokenizedString, PreTokenizer, Token,
};

/// What the texts of control tokens in a text are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controls {
    /// Control tokens: for prompts that a program writes.
    Read,
    /// Text like any other: for what users write. Then no text gives a control token.
    AsText,
}

/// A model's vocabulary, the rules by which text becomes its tokens, and its chat template.
///
/// Characters that the vocabulary has no token for, not even of bytes, become its unknown token or, as in SmolLM2's for some
/// control characters, nothing: as in other implementations.
#[derive(Debug)]
pub struct Tokenizer {
    model: BPE,
    rules: Rules,
    pub(super) added: AddedTokens,
    pub(super) spelling: Spelling,
    vocabulary: usize,
    marks: Marks,
    template: Option<Result<ChatTemplate, TextError>>,
    pub(super) date: Date,
}

impl Tokenizer {
    /// The tokenizer in a GGUF file's metadata: `gpt2` (byte-level BPE, by the pre-tokenizer that the file names; without
    /// a name, or called `default`, GPT-2's) or `llama` (SentencePiece's BPE).
    ///
    /// A chat template that can't be used is reported by [`encode_chat`](Self::encode_chat), not here.
    ///
    /// # Errors
    ///
    /// [`TextError::Metadata`] with the key, its place and what was expected; [`TextError::Unsupported`] with what would
    /// have worked.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, TextError> {
        Self::from_parts(gguf::parts(metadata)?)
    }

    /// The tokenizer in Hugging Face's files: BPE, byte-level or as SentencePiece's.
    ///
    /// Tokens that were added whole are found in a text as it is, before normalization, whatever they say of it.
    ///
    /// # Errors
    ///
    /// [`TextError::Malformed`] and [`TextError::Unsupported`].
    pub fn from_json(
        tokenizer_json: &[u8],
        tokenizer_config_json: Option<&[u8]>,
    ) -> Result<Self, TextError> {
        Self::from_parts(json::parts(tokenizer_json, tokenizer_config_json)?)
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
            date: Date::default(),
        };
        if let Some(source) = parts.template {
            tokenizer.template = Some(ChatTemplate::new(&source, &tokenizer));
        }
        Ok(tokenizer)
    }

    /// The same with another chat template, for models that come without one or with it in a file of its own.
    ///
    /// # Errors
    ///
    /// [`TextError::ChatTemplate`] for one that can't be used.
    pub fn with_chat_template(mut self, source: &str) -> Result<Self, TextError> {
        self.template = Some(Ok(ChatTemplate::new(source, &self)?));
        Ok(self)
    }

    /// The same, with chat templates told that today is `date`.
    pub fn with_date(mut self, date: Date) -> Self {
        self.date = date;
        self
    }

    /// The tokens of `text` alone: no BOS token comes before them.
    ///
    /// # Errors
    ///
    /// [`TextError::TooLong`], or [`TextError::Encode`] where a rule gives up.
    pub fn encode(&self, text: &str, controls: Controls) -> Result<Vec<u32>, TextError> {
        let found = self.added.find(text, 0..text.len(), |kind| match kind {
            Kind::UserDefined => true,
            Kind::Control | Kind::Unknown => controls == Controls::Read,
            Kind::Normal | Kind::Unused | Kind::Byte => false,
        });
        self.encode_around(text, &found)
    }

    /// The tokens of a whole prompt that a program wrote: control tokens are read, and the BOS token comes first if the
    /// model wants it and the prompt does not begin with it.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_prompt(&self, prompt: &str) -> Result<Vec<u32>, TextError> {
        Ok(self.begun(self.encode(prompt, Controls::Read)?))
    }

    /// The tokens of a conversation by the model's chat template, and of what begins the answer if
    /// `add_generation_prompt`. The BOS token comes first if template or model want it, and never twice.
    ///
    /// Control tokens come from the template alone: whatever the messages hold, and whatever the template does with it,
    /// none of it becomes one.
    ///
    /// # Errors
    ///
    /// [`TextError::ChatTemplate`] if there is none, if it can't be used, refuses the messages or works too long;
    /// otherwise as [`encode`](Self::encode).
    pub fn encode_chat(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<Vec<u32>, TextError> {
        let rendered = self
            .chat_template()?
            .render(messages, add_generation_prompt, self)?;
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
    /// [`TextError::ChatTemplate`] if there is none or if it can't be used.
    pub fn chat_template(&self) -> Result<&ChatTemplate, TextError> {
        match &self.template {
            Some(Ok(template)) => Ok(template),
            Some(Err(error)) => Err(error.clone()),
            None => Err(TextError::template(
                "the model has none: give one, or a whole prompt instead of messages",
            )),
        }
    }

    /// How many numbers of tokens there are; a model's logits may be more.
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

    /// Whether prompts begin with the BOS token.
    pub fn adds_bos(&self) -> bool {
        self.marks.add_bos
    }

    /// All tokens that end a turn, in order: those that the file names (EOS, end of turn, end of message) and those of the
    /// vocabulary that are known to, such as `<|im_end|>`.
    pub fn stop_tokens(&self) -> Vec<u32> {
        self.marks.stops(&self.added)
    }

    /// The bytes that a token adds to a text; `None` beyond the vocabulary. They need not be whole characters: see
    /// [`Detokenizer`](super::Detokenizer). Of a control token it is the text that is written for it.
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        match self.added.get(id) {
            Some(added) => Some(added.text.clone().into_bytes()),
            None => Some(self.spelling.bytes(&self.model.id_to_token(id)?)),
        }
    }

    /// Whether a token is a mark for the model and not text.
    pub fn is_control(&self, id: u32) -> bool {
        self.kind(id) == Some(Kind::Control)
    }

    /// The text of a token that was added whole.
    pub(super) fn added_text(&self, id: u32) -> Option<&str> {
        self.added.get(id).map(|added| added.text.as_str())
    }

    /// What a token is; `None` for one that the vocabulary does not have.
    pub(super) fn kind(&self, id: u32) -> Option<Kind> {
        match self.added.get(id) {
            Some(added) => Some(added.kind),
            None => self.model.id_to_token(id).map(|_| Kind::Normal),
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

    /// The tokens of `text`, in which those that were `found` are certain.
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
        if let Some(normalizer) = &self.rules.normalizer {
            words.normalize(|piece| normalizer.normalize(piece))?;
        }
        if let Some(pre_tokenizer) = &self.rules.pre_tokenizer {
            pre_tokenizer.pre_tokenize(&mut words)?;
        }
        words.tokenize(|word| self.model.tokenize(word.get()))?;
        let encoding = words.into_encoding(None, 0, OffsetType::None)?;
        Ok(encoding.get_ids().to_vec())
    }
}

/// A text cut before and behind each token that was found in it.
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
