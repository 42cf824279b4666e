//! RoPE's numbers: whether they can be, and how Hugging Face models have them.

use serde_json::{Map, Value};

use super::LlamaConfig;
use crate::model::error::ModelError;
use crate::model::rope::{
    RopeConfig, RopeFactors, RopeLayout, RopeScaling, check_factors, yarn_attention_factor,
};
use crate::quoted::quoted;

/// Bounds of RoPE's base and factors: far below and above any model's, and no angle becomes
/// infinite.
pub(super) const NUMBERS: (f64, f64) = (1e-6, 1e15);

/// Checks a rotation of heads of `head_dim` elements; `key` gives a field's name in the file.
///
/// # Errors
///
/// [`ModelError::Config`] with the first field in question.
pub(super) fn validate(
    rope: &RopeConfig,
    head_dim: usize,
    key: impl Fn(&str) -> String,
) -> Result<(), ModelError> {
    let wrong = |field: &str, found: String, allowed: String| {
        Err(ModelError::Config {
            field: key(field),
            found,
            allowed,
        })
    };
    let (least, most) = NUMBERS;
    let positive = |field: &str, value: f64| {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        wrong(field, value.to_string(), format!("{least:e} to {most:e}"))
    };
    let ascending = |field: &str, low: f64, high: f64| {
        if high > low {
            return Ok(());
        }
        let allowed = format!("above the low one, {low}");
        wrong(field, high.to_string(), allowed)
    };
    let rotated = rope.rotated;
    // A growing base has the number of pairs less one in a divisor.
    let fewest = match rope.scaling {
        RopeScaling::Dynamic { .. } => 4,
        _ => 2,
    };
    if !(fewest..=head_dim).contains(&rotated) || !rotated.is_multiple_of(2) {
        let allowed = format!("an even number from {fewest} to {head_dim}");
        return wrong("rotated", rotated.to_string(), allowed);
    }
    positive("rope_base", rope.base)?;
    positive("attention_factor", rope.attention_factor)?;
    match rope.scaling {
        RopeScaling::None => Ok(()),
        RopeScaling::Linear { factor } => positive("rope_factor", factor),
        RopeScaling::Llama3 {
            factor,
            low_frequency_factor: low,
            high_frequency_factor: high,
            original_context,
        } => {
            positive("rope_factor", factor)?;
            positive("low_frequency_factor", low)?;
            positive("high_frequency_factor", high)?;
            positive("original_context", original_context as f64)?;
            ascending("high_frequency_factor", low, high)
        }
        RopeScaling::Yarn {
            factor,
            original_context,
            beta_fast,
            beta_slow,
            whole_pairs: _,
        } => {
            positive("rope_factor", factor)?;
            positive("original_context", original_context as f64)?;
            positive("beta_slow", beta_slow)?;
            positive("beta_fast", beta_fast)?;
            ascending("beta_fast", beta_slow, beta_fast)?;
            // Its logarithm is a divisor.
            ascending("rope_base", 1.0, rope.base)
        }
        RopeScaling::LongRope { original_context } => {
            positive("original_context", original_context as f64)
        }
        RopeScaling::Dynamic {
            factor,
            original_context,
        } => {
            positive("rope_factor", factor)?;
            positive("original_context", original_context as f64)
        }
    }
}

/// RoPE's fields in `config.json`, and the name of the object that they are in.
pub(in crate::model) struct RopeFields<'a> {
    /// Name of the object, for errors.
    pub(super) named: String,
    pub(super) object: Option<&'a Map<String, Value>>,
    /// Positions that the model was first trained for, where it is said outside of the object.
    pub(super) original_context: Option<usize>,
    /// Part of a head that is rotated, where it is said outside of the object.
    pub(super) part: Option<f64>,
}

impl<'a> RopeFields<'a> {
    fn get(&self, field: &str) -> Option<&'a Value> {
        let value = self.object.and_then(|object| object.get(field));
        value.filter(|value| !value.is_null())
    }

    fn unfit(&self, field: &str, allowed: &str) -> ModelError {
        let found = self.get(field);
        ModelError::Config {
            field: format!("{}.{field}", self.named),
            found: found.map_or("missing".to_owned(), |it| quoted(&it.to_string())),
            allowed: allowed.to_owned(),
        }
    }

    /// A number; `None` if it is missing.
    pub fn number(&self, field: &str) -> Result<Option<f64>, ModelError> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.unfit(field, "a number")),
            },
        }
    }

    /// A number that has to be there.
    pub fn required(&self, field: &str) -> Result<f64, ModelError> {
        let number = self.number(field)?;
        number.ok_or_else(|| self.unfit(field, "a number"))
    }

    /// Positions that the model was first trained for; all that it is trained for where nothing is
    /// said.
    pub fn original_context(&self, config: &LlamaConfig) -> Result<usize, ModelError> {
        if let Some(original) = self.original_context {
            return Ok(original);
        }
        let field = "original_max_position_embeddings";
        match self.number(field)? {
            None => Ok(config.context),
            // A negative number becomes 0, which is refused by its name.
            Some(number) => Ok(number as usize),
        }
    }

    fn factors(&self, field: &str, pairs: usize) -> Result<Vec<f32>, ModelError> {
        let list = self.get(field).and_then(Value::as_array);
        let numbers = list.and_then(|list| {
            let numbers = list.iter().map(|it| Some(it.as_f64()? as f32));
            numbers.collect::<Option<Vec<f32>>>()
        });
        let numbers = numbers.ok_or_else(|| self.unfit(field, "a list of numbers"))?;
        check_factors(&format!("{}.{field}", self.named), &numbers, pairs)?;
        Ok(numbers)
    }

    fn kind(&self) -> &'a str {
        // Older files say `type`.
        let kind = self.get("rope_type").or_else(|| self.get("type"));
        match kind {
            Some(kind) => kind.as_str().unwrap_or_default(),
            None if self.named == "rope_scaling" && self.object.is_some() => "",
            None => "default",
        }
    }

    /// The rotation, with the divisors of its frequencies.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] or [`ModelError::Unsupported`] with the field in question.
    pub fn read(
        &self,
        config: &LlamaConfig,
        layout: RopeLayout,
        base: f64,
    ) -> Result<(RopeConfig, RopeFactors), ModelError> {
        let spec = config.architecture.spec();
        let kind = match self.kind() {
            // Phi-3's first names for its scaling.
            "su" | "yarn" if spec.partial_rotary => "longrope",
            kind => kind,
        };
        let part = self.number("partial_rotary_factor")?.or(self.part);
        let part = part.filter(|_| spec.partial_rotary || kind != "default");
        let mut rope = RopeConfig {
            layout,
            base: self.number("rope_theta")?.unwrap_or(base),
            rotated: (config.head_dim as f64 * part.unwrap_or(1.0)) as usize,
            scaling: RopeScaling::None,
            attention_factor: 1.0,
        };
        let mut factors = RopeFactors::None;
        let attention_factor = self.number("attention_factor")?;
        rope.scaling = match kind {
            "default" => RopeScaling::None,
            "linear" => RopeScaling::Linear {
                factor: self.required("factor")?,
            },
            "llama3" => RopeScaling::Llama3 {
                factor: self.required("factor")?,
                low_frequency_factor: self.required("low_freq_factor")?,
                high_frequency_factor: self.required("high_freq_factor")?,
                original_context: self.original_context(config)?,
            },
            "dynamic" => RopeScaling::Dynamic {
                factor: self.required("factor")?,
                original_context: config.context,
            },
            "yarn" => {
                let original_context = self.original_context(config)?;
                let factor = self.required("factor")?;
                rope.attention_factor = match attention_factor {
                    Some(attention_factor) => attention_factor,
                    None => self.yarn_attention_factor(factor)?,
                };
                RopeScaling::Yarn {
                    factor,
                    original_context,
                    beta_fast: self.number("beta_fast")?.unwrap_or(32.0),
                    beta_slow: self.number("beta_slow")?.unwrap_or(1.0),
                    whole_pairs: self.get("truncate").and_then(Value::as_bool) != Some(false),
                }
            }
            "longrope" => {
                let original_context = self.original_context(config)?;
                let original = original_context.max(2) as f64;
                let factor = self.number("factor")?;
                let factor = factor.unwrap_or(config.context as f64 / original);
                let default = if factor <= 1.0 {
                    1.0
                } else {
                    (1.0 + factor.ln() / original.ln()).sqrt()
                };
                rope.attention_factor = attention_factor.unwrap_or(default);
                factors = RopeFactors::ByPosition {
                    short: self.factors("short_factor", rope.rotated / 2)?,
                    long: self.factors("long_factor", rope.rotated / 2)?,
                };
                RopeScaling::LongRope { original_context }
            }
            other => {
                return Err(ModelError::Unsupported {
                    field: format!("{}.rope_type", self.named),
                    found: quoted(other),
                    supported: "default, linear, dynamic, yarn, longrope or llama3".to_owned(),
                });
            }
        };
        Ok((rope, factors))
    }

    /// YaRN's factor, or a quotient of two of different weight (DeepSeek-V2, arXiv 2405.04434).
    fn yarn_attention_factor(&self, factor: f64) -> Result<f64, ModelError> {
        let weights = (self.number("mscale")?, self.number("mscale_all_dim")?);
        Ok(match weights {
            (Some(above), Some(below)) if above != 0.0 && below != 0.0 => {
                yarn_attention_factor(factor, above) / yarn_attention_factor(factor, below)
            }
            _ => yarn_attention_factor(factor, 1.0),
        })
    }
}
