//! The rules: which slots a cache keeps, as arithmetic on the numbers of slots.
//!
//! The room knows no device, no tensors and no files. Its results are values that others carry out:
//!
//! - After a prompt, [`PrefillMethod`] decides how many positions stay, and the [`Score`] that
//!   ranks them.
//! - At a decode step, [`DecodeStrategy`] decides an [`Order`] per layer. It says how many slots
//!   each head loses, from which position on, except which recent ones, and their ranking.
//!
//! Both depend on numbers of tokens only, never on attention. The host therefore knows how many
//! slots a head holds without asking the device, and [`Policy::planned_slots`] knows it beforehand.
//!
//! `docs/rules.md` lists methods, strategies and options with their defaults. The same facts are
//! a value: [`Catalogue`].
//!
//! # Adding a rule
//!
//! A prefill method is a file in `prefill/`, and a line in the list of `prefill/mod.rs`. A decode
//! strategy is the same in `decode/`. The file declares the rule's words, its parameters
//! ([`Parameter`]) and its arithmetic. Configurations, options, TypeScript types, the command's
//! flags and help, and the tables follow.

mod budget;
mod capacity;
mod catalogue;
pub mod decode;
mod error;
mod options;
mod order;
mod parameter;
mod plan;
pub mod prefill;
pub mod presets;
mod pyramid;
mod rules;
mod state;
mod typescript;
mod validate;
mod window;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

pub use budget::{Budget, TurnBudgets};
pub(crate) use capacity::prompt_capacity;
pub use catalogue::{
    Catalogue, FamilyEntry, OptionEntry, OptionKind, PresetEntry, RuleEntry, StorageEntry,
};
pub use decode::DecodeStrategy;
pub use error::ConfigError;
pub use options::{
    BLOCK, BudgetOption, DECODE_BUDGET, DeclaredBudget, DecodeOptions, MAX_NEW_TOKENS,
    OBSERVATION_WINDOW, PREFILL_BUDGET, PrefillOptions, RECENT,
};
pub use order::{Order, RankedBy, Recent};
pub(crate) use order::{PromptOrder, decide, finish_prompt};
pub use parameter::{Choice, Kind, Parameter, Parameters, Setting, Spec, Value};
pub(crate) use plan::planned_slots;
pub use prefill::{Pooling, PrefillMethod, Queries, Score};
pub use rules::{Description, Family};
pub use state::HeadSlots;
pub(crate) use state::{LayerState, OpenTurn, recent_run};
pub(crate) use typescript::Declarations;
pub use typescript::TYPESCRIPT;
pub(crate) use validate::{MOST_TOKENS, within};
pub(crate) use window::LayerRules;

/// The rules and budgets of a cache. Budgets have the paper's values by default, and nothing is
/// evicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Policy {
    /// Method that compresses the prompt.
    pub prefill: PrefillMethod,
    /// A = α1 + α2: slots per head for the prompt.
    pub prefill_budget: Budget,
    /// α2: the last prompt positions, which are always kept and whose queries score the others.
    pub observation_window: usize,
    /// Strategy that evicts while decoding.
    pub decode: DecodeStrategy,
    /// B = β1 + β2: slots per head for the output.
    pub decode_budget: Budget,
    /// β2: the newest positions, which are always kept.
    pub recent: usize,
    /// T: tokens expected to be decoded; the adaptive strategies pace their budget by it.
    pub max_new_tokens: usize,
    /// Slots by which memory grows.
    pub block: usize,
    /// The methods' own parameters.
    #[serde(flatten)]
    pub parameters: Parameters,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            prefill: PrefillMethod::default(),
            prefill_budget: Budget::Slots(PREFILL_BUDGET.default),
            observation_window: OBSERVATION_WINDOW.default_value(),
            decode: DecodeStrategy::default(),
            decode_budget: Budget::Slots(DECODE_BUDGET.default),
            recent: RECENT.default_value(),
            max_new_tokens: MAX_NEW_TOKENS.default_value(),
            block: BLOCK.default_value(),
            parameters: Parameters::defaults(all_parameters()),
        }
    }
}

impl Policy {
    /// The attention by which the prefill method ranks positions; `None` if it needs none.
    pub fn evidence(&self) -> Option<Queries> {
        self.score().evidence()
    }

    /// The score by which the prefill method ranks positions.
    pub fn score(&self) -> Score {
        self.prefill.rule().score(&self.parameters)
    }

    /// The rules of `layer` of `layers`, which has no window.
    pub(crate) fn of_layer(&self, (layer, layers): (usize, usize)) -> LayerRules<'_> {
        LayerRules {
            policy: self,
            layer,
            layers,
            window: None,
        }
    }

    /// All settings that decide what is kept of a prompt, each with its name.
    pub fn prompt_settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("prefill", self.prefill.to_string()),
            ("prefill_budget", self.prefill_budget.to_string()),
            ("observation_window", self.observation_window.to_string()),
        ];
        let parameters = PrefillMethod::all_parameters().into_iter();
        settings.extend(parameters.map(|spec| {
            let value = self.parameters.value(spec);
            (spec.name, value.to_string())
        }));
        settings
    }
}

/// The parameters of all methods and strategies.
fn all_parameters() -> impl Iterator<Item = &'static Spec> {
    let prefill = PrefillMethod::all_parameters().into_iter();
    prefill.chain(DecodeStrategy::all_parameters())
}

/// The point at which a rule is asked: the layer, the turn's budgets and the parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub budgets: TurnBudgets,
    /// The layer, from 0.
    pub layer: usize,
    parameters: &'a Parameters,
}

impl<'a> Turn<'a> {
    pub fn new(policy: &'a Policy, budgets: TurnBudgets, layer: usize) -> Self {
        Self {
            budgets,
            layer,
            parameters: &policy.parameters,
        }
    }

    /// The value of a rule's parameter.
    pub fn get<T: Setting>(&self, parameter: &Parameter<T>) -> T {
        self.parameters.get(parameter)
    }
}

/// Reads a map of the fields and parameters by their names in snake_case; all have defaults.
impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(PolicyVisitor)
    }
}

struct PolicyVisitor;

impl<'de> Visitor<'de> for PolicyVisitor {
    type Value = Policy;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a cache's policy")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Policy, A::Error> {
        let mut policy = Policy::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "prefill" => policy.prefill = map.next_value()?,
                "prefill_budget" => policy.prefill_budget = map.next_value()?,
                "observation_window" => policy.observation_window = map.next_value()?,
                "decode" => policy.decode = map.next_value()?,
                "decode_budget" => policy.decode_budget = map.next_value()?,
                "recent" => policy.recent = map.next_value()?,
                "max_new_tokens" => policy.max_new_tokens = map.next_value()?,
                "block" => policy.block = map.next_value()?,
                _ => {
                    let spec = all_parameters().find(|spec| spec.name == name);
                    let spec = spec.ok_or_else(|| unknown::<A::Error>(&name))?;
                    if let Some(value) = map.next_value_seed(spec)? {
                        policy.parameters.insert(spec, value);
                    }
                }
            }
        }
        Ok(policy)
    }
}

fn unknown<E: serde::de::Error>(name: &str) -> E {
    E::custom(format_args!(
        "unknown field {}",
        crate::quoted::quoted(name)
    ))
}
