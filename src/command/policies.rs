//! The policies that are compared: by short names, and by the cache's own options.

use kvscope::Error;
use kvscope::cache::{Budget, CacheError, DecodeStrategy, PrefillMethod, ScopeCacheConfig};

use super::arguments::{PoliciesArguments, Policy};

/// A policy by its short name, whose budgets are said elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BuiltIn {
    pub prefill: PrefillMethod,
    pub decode: DecodeStrategy,
}

/// The paper's comparison: SCOPE's strategies on four prefill methods, and the methods that treat both phases alike.
const PAPER: [&str; 16] = [
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

/// One short name, or `paper` for many.
pub fn built_in(text: &str) -> Result<Vec<BuiltIn>, String> {
    match text {
        "paper" => Ok(paper()),
        _ => Ok(vec![named(text)?]),
    }
}

fn paper() -> Vec<BuiltIn> {
    // A test reads every one of these names.
    PAPER.iter().filter_map(|name| named(name).ok()).collect()
}

/// The policy of one short name.
pub fn named(name: &str) -> Result<BuiltIn, String> {
    let (prefill, decode) = match name.split_once('+') {
        Some(pair) => pair,
        None => match name {
            "full" | "slide" | "adaptive" | "discontinuous" => ("full", name),
            "h2o" | "pyramidinfer" | "streamingllm" => (name, name),
            _ => return Err("not a policy's short name: such as snapkv+slide".to_owned()),
        },
    };
    let found = PrefillMethod::ALL.iter().find(|it| it.name() == prefill);
    let prefill = *found.ok_or_else(|| format!("there is no prefill method {prefill}"))?;
    let found = DecodeStrategy::ALL.iter().find(|it| it.name() == decode);
    let decode = *found.ok_or_else(|| format!("there is no decode strategy {decode}"))?;
    Ok(BuiltIn { prefill, decode })
}

impl BuiltIn {
    fn name(self) -> String {
        let (prefill, decode) = (self.prefill.name(), self.decode.name());
        let short = [decode.to_owned(), format!("{prefill}+{decode}")];
        let mut short = short.into_iter();
        // The shortest name that is read as this.
        let found = short.find(|name| named(name) == Ok(self));
        found.unwrap_or_default()
    }

    fn decodes(self) -> bool {
        self.decode != DecodeStrategy::Full
    }

    fn compresses(self) -> bool {
        self.prefill != PrefillMethod::Full
    }

    /// Its name with all that tells it apart from others of the same run.
    fn title(self, shares: Shares, recent: Option<f32>) -> String {
        let mut title = self.name();
        if self.decodes() {
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

    /// It with a decode budget of that share, once for each of the recent shares and splits that are asked for.
    fn at(self, decode: f32, arguments: &PoliciesArguments) -> Vec<Compared> {
        let splits: Vec<Option<f32>> = match arguments.split.as_slice() {
            splits if self.compresses() && !splits.is_empty() => {
                splits.iter().map(|split| Some(split.0)).collect()
            }
            _ => vec![None],
        };
        let several = arguments.recent_share.len() > 1;
        let mut all = Vec::new();
        for recent in arguments.recent_share.iter().map(|share| share.0) {
            all.extend(splits.iter().map(|&split| {
                let shares = Shares {
                    prefill: arguments.prefill_share.0,
                    decode,
                    split,
                };
                Compared {
                    name: self.title(shares, several.then_some(recent)),
                    rules: Rules::BuiltIn(self, shares),
                    recent: Some(recent),
                }
            }));
        }
        all
    }
}

/// A policy that is compared.
pub struct Compared {
    pub name: String,
    rules: Rules,
    /// β2 as a share of the decode budget, where the policy does not say it.
    recent: Option<f32>,
}

enum Rules {
    BuiltIn(BuiltIn, Shares),
    Options(Box<Policy>),
}

/// Budgets of a policy by name.
#[derive(Clone, Copy)]
struct Shares {
    /// A, of the prompt.
    prefill: f32,
    /// B, of the answer.
    decode: f32,
    /// A, of what both make together; as they are, if `None`.
    split: Option<f32>,
}

impl Shares {
    /// A and B for a prompt and an answer of so many tokens. A has room for the observation window and one more, and is no
    /// more than the prompt.
    fn budgets(self, prompt: usize, answer: usize, window: usize) -> (Budget, Budget) {
        let (prefill, decode) = (
            Budget::OfPrompt(self.prefill),
            Budget::OfExpected(self.decode),
        );
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

/// All that is asked for, each once, in the order asked for. What can't be is refused before a model is loaded for it.
pub fn compared(arguments: &PoliciesArguments) -> Result<Vec<Compared>, Error> {
    let mut named: Vec<BuiltIn> = arguments.names.iter().flatten().copied().collect();
    if named.is_empty() && arguments.others.is_empty() {
        named = paper();
    }
    let mut all: Vec<Compared> = Vec::new();
    for ratio in &arguments.decode_ratio {
        all.extend(named.iter().flat_map(|it| it.at(ratio.0, arguments)));
    }
    let recent = arguments.recent_share.first().map(|share| share.0);
    for policy in &arguments.others {
        let said = policy.name.contains("recent=");
        all.push(Compared {
            name: policy.name.clone(),
            rules: Rules::Options(Box::new(policy.clone())),
            recent: recent.filter(|_| !said),
        });
    }
    let mut names = Vec::new();
    all.retain(|policy| {
        let first = !names.contains(&policy.name);
        names.push(policy.name.clone());
        first
    });
    for policy in &all {
        policy.config(ScopeCacheConfig::new(1, 1, 1, 1), 1024, 1024)?;
    }
    Ok(all)
}

/// As the options take a share. To a millionth, since an f32 times 100 is not what was written: 0.3 would be a little more
/// than 30.
fn in_percent(share: f32) -> String {
    let millionths = (f64::from(share) * 1e6).round();
    format!("{}%", millionths / 1e4)
}

impl Compared {
    /// Its configuration for a model's cache, a prompt and an answer of so many tokens.
    pub fn config(
        &self,
        model: ScopeCacheConfig,
        prompt: usize,
        answer: usize,
    ) -> Result<ScopeCacheConfig, CacheError> {
        let base = model.with_max_new_tokens(answer).with_recent(0);
        let mut config = match &self.rules {
            Rules::BuiltIn(built_in, shares) => {
                let (prefill, decode) = shares.budgets(prompt, answer, base.observation_window);
                base.with_prefill(built_in.prefill)
                    .with_prefill_budget(prefill)
                    .with_decode(built_in.decode)
                    .with_decode_budget(decode)
            }
            Rules::Options(policy) => {
                let mut options = policy.cache.options();
                options.decode.recent = options.decode.recent.filter(|_| self.recent.is_none());
                options.apply(base)?
            }
        };
        if let Some(share) = self.recent {
            let budget = config.decode_budget.slots(prompt, answer, 1);
            let recent = (f64::from(share) * budget as f64) as usize;
            config.recent = recent.min(budget.saturating_sub(1));
        }
        config.validate()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_go_there_and_back() {
        for name in PAPER {
            let all = built_in(name).unwrap();
            assert_eq!(all.len(), 1);
            assert_eq!(all[0].name(), name);
        }
        assert_eq!(built_in("paper").unwrap().len(), PAPER.len());
        assert_eq!(named("full+h2o").unwrap().name(), "full+h2o");
        assert_eq!(named("h2o+h2o").unwrap().name(), "h2o");
        assert_eq!(named("snapkv+full").unwrap().name(), "snapkv+full");
        for wrong in ["", "snapkv", "best+slide", "snapkv+best", "tova"] {
            assert!(built_in(wrong).is_err(), "{wrong}");
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
        // Never more than there is of the prompt, never less than its window and one more.
        let (prefill, decode) = shares(Some(1.0)).budgets(20, 1000, 8);
        assert_eq!((prefill, decode), (Budget::Slots(20), Budget::Slots(240)));
        let (prefill, decode) = shares(Some(0.001)).budgets(800, 200, 8);
        assert_eq!((prefill, decode), (Budget::Slots(9), Budget::Slots(441)));
    }

    #[test]
    fn names_say_what_tells_policies_apart() {
        let title = |name, split, recent| {
            let shares = Shares {
                prefill: 0.5,
                decode: 0.25,
                split,
            };
            named(name).unwrap().title(shares, recent)
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
