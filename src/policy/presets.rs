//! Presets: pairs of methods by short names, and the paper's comparison.

use std::fmt;
use std::str::FromStr;

use super::{Budget, DecodeStrategy, Family, PrefillMethod};

/// The paper's comparison: SCOPE's strategies on four prefill methods, and the methods that treat
/// prompt and output alike.
pub const PAPER: [&str; 16] = [
    "full",
    "slide",
    "adaptive",
    "discontinuous",
    "h2o+slide",
    "h2o+adaptive",
    "h2o+discontinuous",
    "snapkv+slide",
    "snapkv+adaptive",
    "snapkv+discontinuous",
    "pyramidkv+slide",
    "pyramidkv+adaptive",
    "pyramidkv+discontinuous",
    "h2o",
    "pyramidinfer",
    "streamingllm",
];

/// Pairs of the frontier of bytes against divergence: the best of each kind of eviction.
pub const FRONTIER: [&str; 6] = [
    "full",
    "slide",
    "h2o",
    "h2o+slide",
    "full+decayed-slide",
    "h2o+decayed-h2o",
];

/// The pairs of [`FRONTIER`].
pub fn frontier() -> Vec<Pair> {
    FRONTIER
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect()
}

/// The pairs of [`PAPER`].
pub fn paper() -> Vec<Pair> {
    // A test parses every one of the names.
    PAPER.iter().filter_map(|name| name.parse().ok()).collect()
}

/// A prefill method and a decode strategy.
///
/// Its short name is `PREFILL+DECODE`. A strategy of SCOPE alone, or `full`, has a full prefill.
/// Any other name alone is both method and strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The method.
    pub prefill: PrefillMethod,
    /// The strategy.
    pub decode: DecodeStrategy,
}

/// A text is no pair's short name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is neither a pair nor a single name that stands for one.
    #[error("not a policy's short name: such as snapkv+slide")]
    Pair,
    /// Its first half is no method.
    #[error("there is no prefill method {0}")]
    Prefill(String),
    /// Its second half is no strategy.
    #[error("there is no decode strategy {0}")]
    Decode(String),
}

impl FromStr for Pair {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let method = |name: &str| {
            let unknown = || NameError::Prefill(name.to_owned());
            PrefillMethod::named(name).ok_or_else(unknown)
        };
        let strategy = |name: &str| {
            let unknown = || NameError::Decode(name.to_owned());
            DecodeStrategy::named(name).ok_or_else(unknown)
        };
        if let Some((prefill, decode)) = text.split_once('+') {
            return Ok(Self {
                prefill: method(prefill)?,
                decode: strategy(decode)?,
            });
        }
        let decode = DecodeStrategy::named(text).ok_or(NameError::Pair)?;
        let prefill = match decode.description().family {
            Family::Full | Family::Scope => PrefillMethod::Full,
            _ => PrefillMethod::named(text).ok_or(NameError::Pair)?,
        };
        Ok(Self { prefill, decode })
    }
}

impl fmt::Display for Pair {
    /// The shortest name that is read as this pair.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefill, decode) = (self.prefill.name(), self.decode.name());
        if decode.parse::<Self>() == Ok(*self) {
            formatter.write_str(decode)
        } else {
            write!(formatter, "{prefill}+{decode}")
        }
    }
}

impl Pair {
    /// The strategy evicts.
    pub fn evicts(self) -> bool {
        self.decode != DecodeStrategy::Full
    }

    /// The method drops slots.
    pub fn compresses(self) -> bool {
        self.prefill != PrefillMethod::Full
    }

    /// Its name with everything that tells it from others of one run. `recent` is β2 as a share of
    /// the decode budget, where that differs.
    pub fn title(self, shares: Shares, recent: Option<f32>) -> String {
        let mut title = self.to_string();
        if self.evicts() {
            title += &format!(" {}", in_percent(shares.decode));
            if let Some(recent) = recent {
                title += &format!(" recent {}", in_percent(recent));
            }
        }
        if let Some(split) = shares.split {
            title += &format!(" split {}", in_percent(split));
        }
        title
    }
}

/// Budgets of a pair, as shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// A, of the prompt.
    pub prefill: f32,
    /// B, of the output.
    pub decode: f32,
    /// A, of the slots of both together; the budgets stay as they are if `None`.
    pub split: Option<f32>,
}

impl Shares {
    /// A and B for a prompt of `prompt` tokens and an answer of `answer`. A has room for `window`
    /// positions and one more, and is at most the prompt.
    pub fn budgets(self, prompt: usize, answer: usize, window: usize) -> (Budget, Budget) {
        let prefill = Budget::OfPrompt(self.prefill);
        let decode = Budget::OfExpected(self.decode);
        let Some(split) = self.split else {
            return (prefill, decode);
        };
        let slots = |budget: Budget, least| budget.slots(prompt, answer, least);
        let all = slots(prefill, window + 1) + slots(decode, 1);
        let of_prompt = (f64::from(split) * all as f64).round() as usize;
        let of_prompt = of_prompt.min(prompt).max(window + 1);
        let rest = all.saturating_sub(of_prompt).max(1);
        (Budget::Slots(of_prompt), Budget::Slots(rest))
    }
}

/// A share as options write it, to a millionth: an f32 times 100 is not the number that was
/// written.
fn in_percent(share: f32) -> String {
    let millionths = (f64::from(share) * 1e6).round();
    format!("{}%", millionths / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_go_there_and_back() {
        for name in PAPER {
            let pair: Pair = name.parse().unwrap();
            assert_eq!(pair.to_string(), name);
        }
        assert_eq!(paper().len(), PAPER.len());
        assert_eq!(frontier().len(), FRONTIER.len());
        let there_and_back = |name: &str| name.parse::<Pair>().unwrap().to_string();
        assert_eq!(there_and_back("full+h2o"), "full+h2o");
        assert_eq!(there_and_back("h2o+h2o"), "h2o");
        assert_eq!(there_and_back("snapkv+full"), "snapkv+full");
        for wrong in ["", "snapkv", "best+slide", "snapkv+best", "tova"] {
            assert!(wrong.parse::<Pair>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_split_divides_the_same_slots_anew() {
        let shares = |split| Shares {
            prefill: 0.5,
            decode: 0.25,
            split,
        };
        // Half of 800 and a quarter of 200 are 450.
        let (prefill, decode) = shares(Some(0.8)).budgets(800, 200, 8);
        assert_eq!((prefill, decode), (Budget::Slots(360), Budget::Slots(90)));
        let (prefill, decode) = shares(None).budgets(800, 200, 8);
        assert_eq!(
            [prefill.slots(800, 200, 1), decode.slots(800, 200, 1)],
            [400, 50]
        );
        // At most the prompt, at least its window and one more.
        let (prefill, decode) = shares(Some(1.0)).budgets(20, 1000, 8);
        assert_eq!((prefill, decode), (Budget::Slots(20), Budget::Slots(240)));
        let (prefill, decode) = shares(Some(0.001)).budgets(800, 200, 8);
        assert_eq!((prefill, decode), (Budget::Slots(9), Budget::Slots(441)));
    }

    #[test]
    fn titles_tell_policies_apart() {
        let title = |name: &str, split, recent| {
            let shares = Shares {
                prefill: 0.5,
                decode: 0.25,
                split,
            };
            name.parse::<Pair>().unwrap().title(shares, recent)
        };
        assert_eq!(title("full", None, Some(0.5)), "full");
        assert_eq!(title("slide", None, None), "slide 25%");
        assert_eq!(title("slide", None, Some(0.5)), "slide 25% recent 50%");
        assert_eq!(title("h2o", Some(0.3), None), "h2o 25% split 30%");
        assert_eq!(title("h2o", Some(0.03125), None), "h2o 25% split 3.125%");
        assert_eq!(
            title("snapkv+full", Some(0.75), Some(0.5)),
            "snapkv+full split 75%"
        );
    }
}
