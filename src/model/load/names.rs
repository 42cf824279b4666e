//! Names of a file's tensors: their roles, aliases, and those that are passed over.

use std::collections::BTreeMap;

use crate::model::architecture::{Architecture, Naming};
use crate::model::config::LlamaConfig;
use crate::model::error::ModelError;
use crate::model::weight::Weight;
use crate::quoted::quoted;

/// Ends of the names of tensors that change nothing. They are the frequencies of older files,
/// masks, positions, and scales of other programs' quantised caches.
const BUFFERS: [&str; 10] = [
    ".rotary_emb.inv_freq",
    ".rotary_emb.cos_cached",
    ".rotary_emb.sin_cached",
    ".attn_rot_embd.weight",
    ".masked_bias",
    ".self_attn.bias",
    ".position_ids",
    ".k_scale",
    ".v_scale",
    ".kv_scale",
];

/// Tensors outside layers that change what a model computes, in architectures that are not run.
const CHANGING: [&str; 6] = [
    "token_embd_norm.weight",
    "token_types.weight",
    "position_embd.weight",
    "rope_factors_long.weight",
    "rope_factors_short.weight",
    "per_layer_token_embd.weight",
];

/// Prefix of the names that `transformers` leaves out where a model was saved without its head.
const BASE: &str = "model.";

/// Names that a model's files have used so far.
#[derive(Debug)]
pub(super) struct TensorNames {
    architecture: Architecture,
    naming: Naming,
    layers: usize,
    /// Names of tensors that are stored under another's name, and the other's name.
    aliases: BTreeMap<String, String>,
    passed_over: Vec<String>,
}

impl TensorNames {
    pub fn new(config: &LlamaConfig, naming: Naming) -> Self {
        Self {
            architecture: config.architecture,
            naming,
            layers: config.layers,
            aliases: BTreeMap::new(),
            passed_over: Vec::new(),
        }
    }

    /// Takes the aliases in the metadata of a safetensors file. `safetensors.torch.save_model`
    /// stores the first, by name, of tensors that share their memory. It notes the others there,
    /// each with the name of the first.
    pub fn take_aliases(&mut self, metadata: &BTreeMap<String, String>) {
        let pairs = metadata.iter();
        let named = pairs.filter(|(alias, _)| self.plain_weight(alias).is_some());
        let named: Vec<_> = named
            .map(|(alias, kept)| (alias.clone(), kept.clone()))
            .collect();
        self.aliases.extend(named);
    }

    /// Role of the tensor called `name`; `None` if it is passed over.
    ///
    /// # Errors
    ///
    /// [`ModelError::UnexpectedTensor`] if leaving it out would change what the model computes.
    pub fn role(&mut self, name: &str) -> Result<Option<Weight>, ModelError> {
        if let Some(weight) = self.weight(name) {
            return Ok(Some(weight));
        }
        if self.is_harmless(name) {
            self.pass_over(name);
            return Ok(None);
        }
        Err(self.unexpected(name))
    }

    /// Error of a tensor that can't be left out.
    pub fn unexpected(&self, name: &str) -> ModelError {
        ModelError::UnexpectedTensor {
            name: quoted(name),
            architecture: self.architecture.name(),
        }
    }

    /// Notes a tensor that is not used.
    pub fn pass_over(&mut self, name: &str) {
        self.passed_over.push(name.to_owned());
    }

    /// Roles that share another's tensor: each with the other's.
    pub fn shared(&self) -> Vec<(Weight, Weight)> {
        let pairs = self.aliases.iter().filter_map(|(alias, kept)| {
            let (alias, kept) = (self.plain_weight(alias)?, self.weight(kept)?);
            (alias != kept).then_some((alias, kept))
        });
        pairs.collect()
    }

    /// Convention of the names.
    pub fn naming(&self) -> Naming {
        self.naming
    }

    /// Name of a tensor in such files.
    pub fn of(&self, weight: Weight) -> String {
        let name = self.architecture.tensor_name(self.naming, weight);
        name.unwrap_or_default()
    }

    /// Warns of what was passed over, once.
    pub fn report(&self) {
        let Some(first) = self.passed_over.first() else {
            return;
        };
        let (count, first) = (self.passed_over.len(), quoted(first));
        log::warn!("{count} of the files' tensors are not used, the first of them {first}");
    }

    /// True if nothing that the model computes depends on a tensor without a role.
    fn is_harmless(&self, name: &str) -> bool {
        if BUFFERS.iter().any(|end| name.ends_with(end)) {
            return true;
        }
        let prefix = match self.naming {
            Naming::Gguf => "blk.",
            Naming::HuggingFace => "layers.",
        };
        let name = name.strip_prefix(BASE).unwrap_or(name);
        if let Some((number, _)) = name.strip_prefix(prefix).and_then(|it| it.split_once('.')) {
            // Layers beyond the model's own predict further tokens.
            return number
                .parse()
                .is_ok_and(|layer: usize| layer >= self.layers);
        }
        let mate = name
            .strip_suffix(".bias")
            .map(|stem| format!("{stem}.weight"));
        let extends = mate.is_some_and(|mate| self.weight(&mate).is_some());
        !extends && !CHANGING.contains(&name)
    }

    /// Role of a tensor by its own name or, failing that, by that of an alias of it.
    fn weight(&self, name: &str) -> Option<Weight> {
        self.plain_weight(name).or_else(|| {
            let mut aliases = self.aliases.iter();
            let (alias, _) = aliases.find(|(_, kept)| *kept == name)?;
            self.plain_weight(alias)
        })
    }

    fn plain_weight(&self, name: &str) -> Option<Weight> {
        let weight = |name: &str| self.architecture.weight(self.naming, name);
        weight(name).or_else(|| match self.naming {
            Naming::HuggingFace => weight(&format!("{BASE}{name}")),
            Naming::Gguf => None,
        })
    }
}
