//! Model, tokenizer and device in one value, ready to generate text.

mod conversation;
mod error;
#[cfg(not(target_family = "wasm"))]
mod open;
mod saved;
mod session;

use std::sync::atomic::{AtomicBool, Ordering};

pub use conversation::Conversation;
pub use error::SessionError;
#[cfg(not(target_family = "wasm"))]
pub use open::OpenOptions;
pub use session::Session;

use crate::Error;
use crate::cache::{CacheOptions, ScopeCache};
use crate::device::ComputeDevice;
use crate::fused::{FusedDecoder, KnownTunings, Pipelines};
use crate::generate::{DecoderFactory, GenerateConfig, GenerateError, Generation, StepDecoder};
use crate::model::{Llama, ModelLoader};
use crate::text::{Detokenizer, Message, Tokenizer};

/// A loaded model, ready to generate.
///
/// Generations borrow it, so that several may take turns, each with a cache of its own.
/// [`occupy`](Self::occupy) gives exclusive use. The JavaScript engine takes it: a second request
/// is then refused, instead of silently halving the speed of the first.
pub struct Engine {
    model: Llama,
    tokenizer: Tokenizer,
    device: ComputeDevice,
    pipelines: Pipelines,
    busy: AtomicBool,
}

/// The input that a generation continues.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Prompt {
    /// A text as it is. A control token's spelling is that token.
    Text(String),
    /// A conversation, composed by the model's chat template. No message's text becomes a control
    /// token.
    Chat(Vec<Message>),
    /// A conversation, with further values for the chat template.
    Templated(TemplatedChat),
    /// Tokens as they are.
    Tokens(Vec<u32>),
}

/// A conversation, and values for the model's chat template.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
// The values are a map.
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify), tsify(hashmap_as_object))]
pub struct TemplatedChat {
    /// The messages.
    pub messages: Vec<Message>,
    /// Values by the names under which the template reads them, such as `enable_thinking`. Those
    /// that every template has, such as `messages`, stay as they are.
    #[cfg_attr(target_family = "wasm", tsify(type = "Record<string, unknown>"))]
    pub template_values: serde_json::Map<String, serde_json::Value>,
}

impl Engine {
    /// An engine of a model that is loaded already, on the device that it is on.
    /// [`open`](Self::open) also waits for the device and tunes it.
    pub fn new(model: Llama, tokenizer: Tokenizer, device: ComputeDevice) -> Self {
        Self {
            model,
            tokenizer,
            device,
            pipelines: Pipelines::default(),
            busy: AtomicBool::new(false),
        }
    }

    /// Opens a model whose files `loader` has read, on `device`, as [`open`](Self::open) does.
    /// Files that come as a stream are opened this way. `loader` must be for GGUF files, whose
    /// metadata has the tokenizer, and onto the same device.
    ///
    /// # Errors
    ///
    /// [`ModelLoader::finish`]'s, the tokenizer's and the device's. As after [`open`](Self::open),
    /// nothing is left behind.
    pub async fn from_loader(
        loader: ModelLoader,
        device: ComputeDevice,
        known: &mut KnownTunings,
    ) -> Result<Self, Error> {
        let tokenizer = loader.gguf_header().map_err(Error::from);
        let tokenizer = tokenizer.and_then(|it| Ok(Tokenizer::from_gguf(&it.metadata)?));
        let parts = tokenizer.and_then(|tokenizer| Ok((loader.finish()?, tokenizer)));
        Self::ready(parts, device, known).await
    }

    /// The engine, once the device has all of the model and is tuned. After an error, frees what
    /// the device has of it.
    async fn ready(
        parts: Result<(Llama, Tokenizer), Error>,
        device: ComputeDevice,
        known: &mut KnownTunings,
    ) -> Result<Self, Error> {
        let ready = async {
            let (model, tokenizer) = parts?;
            let tokenizer = tokenizer.with_users_time();
            // Writes go to a GPU without an answer: their failures are known once it is idle.
            device.settle().await?;
            let engine = Self::new(model, tokenizer, device.clone());
            engine.tune(known).await?;
            Ok(engine)
        };
        let ready = ready.await;
        if ready.is_err() {
            // On a lost device there is nothing to free, and the first error says more.
            let _ = device.release_unused().await;
        }
        ready
    }

    /// Picks the fastest tuning for this model on its GPU: from `known`, else by a short
    /// measurement, noted there. Affects speed only. See [`FusedDecoder::tune`].
    ///
    /// # Errors
    ///
    /// The device's.
    pub async fn tune(&self, known: &mut KnownTunings) -> Result<(), Error> {
        if let Some(gpu) = self.device.gpu() {
            FusedDecoder::tune(&self.model, &self.pipelines, gpu, known).await?;
        }
        Ok(())
    }

    /// The model.
    pub fn model(&self) -> &Llama {
        &self.model
    }

    /// The device that the model is on.
    pub fn device(&self) -> &ComputeDevice {
        &self.device
    }

    /// The fused kernels compiled so far.
    pub fn pipelines(&self) -> &Pipelines {
        &self.pipelines
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// An empty cache for this model, with the rules of `options`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`](crate::cache::ConfigError) with the first invalid field.
    pub fn cache(&self, options: &CacheOptions) -> Result<ScopeCache, Error> {
        let config = options.apply(self.model.config().cache());
        let cache = config.and_then(|config| config.init(&self.device.burn_device()));
        Ok(cache.map_err(crate::cache::CacheError::from)?)
    }

    /// A prompt's tokens.
    ///
    /// # Errors
    ///
    /// [`TextError`](crate::text::TextError), such as that of a chat template that fails.
    pub fn encode(&self, prompt: &Prompt) -> Result<Vec<u32>, Error> {
        Ok(match prompt {
            Prompt::Text(text) => self.tokenizer.encode_prompt(text)?,
            Prompt::Chat(messages) => self.tokenizer.encode_chat(messages, true)?,
            Prompt::Templated(chat) => {
                self.tokenizer
                    .encode_chat_with(&chat.messages, true, &chat.template_values)?
            }
            Prompt::Tokens(tokens) => tokens.clone(),
        })
    }

    /// Prepares to continue `prompt`, as [`generation`](Self::generation) does. The text of an
    /// answer in a chat begins without the space that SentencePiece's vocabularies put there. The
    /// continuation of a text keeps it.
    ///
    /// # Errors
    ///
    /// Those of [`encode`](Self::encode) and [`generation`](Self::generation).
    pub fn continuation<'a>(
        &'a self,
        prompt: &Prompt,
        cache: &'a mut ScopeCache,
        config: GenerateConfig,
    ) -> Result<Generation<'a, Llama, Detokenizer<&'a Tokenizer>>, Error> {
        let generation = self.generation(self.encode(prompt)?, cache, config)?;
        Ok(self.spelt_after(prompt, generation))
    }

    /// `generation`, whose text begins as it has to after `prompt`.
    fn spelt_after<'a>(
        &self,
        prompt: &Prompt,
        generation: Generation<'a, Llama, Detokenizer<&'a Tokenizer>>,
    ) -> Generation<'a, Llama, Detokenizer<&'a Tokenizer>> {
        match prompt {
            Prompt::Chat(_) | Prompt::Templated(_) if self.tokenizer.begins_with_space() => {
                generation.without_first_space()
            }
            _ => generation,
        }
    }

    /// Prepares to continue the tokens of `prompt`, after what `cache` has seen. Nothing is
    /// computed yet. The text keeps its first space. A stop string that is a control token ends
    /// the generation at that token, which writes no text.
    ///
    /// # Errors
    ///
    /// [`GenerateError`] for an invalid prompt or configuration.
    pub fn generation<'a>(
        &'a self,
        prompt: Vec<u32>,
        cache: &'a mut ScopeCache,
        mut config: GenerateConfig,
    ) -> Result<Generation<'a, Llama, Detokenizer<&'a Tokenizer>>, Error> {
        let marks = config.stop.iter();
        let marks = marks.filter_map(|stop| self.tokenizer.mark(stop));
        config.stop_tokens.extend(marks);
        let spelling = Detokenizer::new(&self.tokenizer).with_first_space(true);
        let ends = self.tokenizer.stop_tokens();
        let (model, device) = (&self.model, &self.device);
        let generation = Generation::new(model, device, spelling, &ends, cache, prompt, config)?;
        Ok(generation.with_decoders(self))
    }

    /// Occupies the engine for a generation, until the returned value is dropped.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Busy`] while another generation has it.
    pub fn occupy(&self) -> Result<Occupied<'_>, GenerateError> {
        if self.busy.swap(true, Ordering::Acquire) {
            return Err(GenerateError::Busy);
        }
        Ok(Occupied(&self.busy))
    }
}

impl DecoderFactory for Engine {
    fn decoder(&self, cache: &ScopeCache) -> Result<Option<Box<dyn StepDecoder>>, Error> {
        let Some(gpu) = self.device.gpu() else {
            return Ok(None);
        };
        let decoder = FusedDecoder::new(&self.model, &self.pipelines, gpu, cache)?;
        Ok(decoder.map(|decoder| Box::new(decoder) as Box<dyn StepDecoder>))
    }
}

/// Exclusive use of an engine, which ends when this is dropped.
pub struct Occupied<'a>(&'a AtomicBool);

impl Drop for Occupied<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
