//! A model, its tokenizer and the device they are on: what generating text takes.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;

use crate::Error;
use crate::cache::{CacheOptions, ScopeCache};
use crate::device::Gpu;
use crate::fused::{FusedDecoder, KnownTunings, Pipelines};
use crate::generate::{DecoderFactory, GenerateConfig, GenerateError, Generation, StepDecoder};
use crate::model::{Llama, ModelLoader};
use crate::text::{Detokenizer, Message, Tokenizer};

/// A loaded model, ready to generate.
///
/// Generations borrow it, so that several may take turns, each with a cache of its own. Who wants one at a time asks with
/// [`occupy`](Self::occupy) first: that is what JavaScript gets, where a second generation is refused while one runs rather
/// than made to wait unseen, because two on one device take twice as long each.
pub struct Engine {
    model: Llama,
    tokenizer: Tokenizer,
    device: Device,
    gpu: Option<Gpu>,
    pipelines: Pipelines,
    busy: AtomicBool,
}

/// What to go on from.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Prompt {
    /// A text as it is. Where it spells a control token, it means it.
    Text(String),
    /// A conversation, put together by the model's chat template. What a message says is never a control token.
    Chat(Vec<Message>),
}

impl Engine {
    /// A model that is already loaded, on the device that it is on.
    pub fn new(model: Llama, tokenizer: Tokenizer, device: Device) -> Self {
        Self {
            model,
            tokenizer,
            device,
            gpu: None,
            pipelines: Pipelines::default(),
            busy: AtomicBool::new(false),
        }
    }

    /// What a loader of GGUF files has read, with the tokenizer from their metadata.
    ///
    /// # Errors
    ///
    /// What is missing of the model, or what is wrong with its tokenizer.
    pub fn from_gguf(loader: ModelLoader, device: Device) -> Result<Self, Error> {
        let tokenizer = Tokenizer::from_gguf(&loader.gguf_header()?.metadata)?;
        Ok(Self::new(loader.finish()?, tokenizer, device))
    }

    /// Names the GPU that the device belongs to, so that its loss is heard of.
    #[must_use]
    pub fn with_gpu(mut self, gpu: Gpu) -> Self {
        self.gpu = Some(gpu);
        self
    }

    /// Finds out how the GPU is best used for this model: by what is `known`, else by a short measurement, which `known`
    /// then says. Only speed depends on it. See [`FusedDecoder::tune`].
    ///
    /// # Errors
    ///
    /// The device's.
    pub async fn tune(&self, known: &mut KnownTunings) -> Result<(), Error> {
        if let Some(gpu) = &self.gpu {
            FusedDecoder::tune(&self.model, &self.pipelines, gpu, known).await?;
        }
        Ok(())
    }

    /// The model.
    pub fn model(&self) -> &Llama {
        &self.model
    }

    /// The device that the model is on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The GPU that it is on, if it was [named](Self::with_gpu).
    pub fn gpu(&self) -> Option<&Gpu> {
        self.gpu.as_ref()
    }

    /// The fused kernels compiled so far.
    pub fn pipelines(&self) -> &Pipelines {
        &self.pipelines
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// An empty cache for this model, by these rules.
    ///
    /// # Errors
    ///
    /// [`ConfigError`](crate::cache::ConfigError) with the first field that can't be.
    pub fn cache(&self, options: &CacheOptions) -> Result<ScopeCache, Error> {
        let config = options.apply(self.model.config().cache());
        let cache = config.and_then(|config| config.init(&self.device));
        Ok(cache.map_err(crate::cache::CacheError::from)?)
    }

    /// A prompt's tokens.
    ///
    /// # Errors
    ///
    /// [`TextError`](crate::text::TextError), above all where a chat template fails.
    pub fn encode(&self, prompt: &Prompt) -> Result<Vec<u32>, Error> {
        Ok(match prompt {
            Prompt::Text(text) => self.tokenizer.encode_prompt(text)?,
            Prompt::Chat(messages) => self.tokenizer.encode_chat(messages, true)?,
        })
    }

    /// Makes ready to go on from `prompt`, after what `cache` has seen; nothing is computed yet.
    ///
    /// # Errors
    ///
    /// [`GenerateError`] for a prompt or configuration that can't be.
    pub fn generation<'a>(
        &'a self,
        prompt: Vec<u32>,
        cache: &'a mut ScopeCache,
        config: GenerateConfig,
    ) -> Result<Generation<'a, Llama, Detokenizer<&'a Tokenizer>>, Error> {
        let spelling = Detokenizer::new(&self.tokenizer);
        let ends = self.tokenizer.stop_tokens();
        let generation = Generation::new(&self.model, spelling, &ends, cache, prompt, config)?;
        let generation = generation.with_decoders(self);
        Ok(match &self.gpu {
            Some(gpu) => generation.with_gpu(gpu),
            None => generation,
        })
    }

    /// Takes the engine for a generation, until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Busy`] while another has it.
    pub fn occupy(&self) -> Result<Occupied<'_>, GenerateError> {
        if self.busy.swap(true, Ordering::Acquire) {
            return Err(GenerateError::Busy);
        }
        Ok(Occupied(&self.busy))
    }
}

impl DecoderFactory for Engine {
    fn decoder(&self, cache: &ScopeCache) -> Result<Option<Box<dyn StepDecoder>>, Error> {
        let Some(gpu) = &self.gpu else {
            return Ok(None);
        };
        let decoder = FusedDecoder::new(&self.model, &self.pipelines, gpu, cache)?;
        Ok(decoder.map(|decoder| Box::new(decoder) as Box<dyn StepDecoder>))
    }
}

/// That a generation has the engine.
pub struct Occupied<'a>(&'a AtomicBool);

impl Drop for Occupied<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
