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
}

/// A policy that is compared.
pub struct Compared {
    pub name: String,
    rules: Rules,
    /// β2 as a share of the decode budget, where the policy does not say it.
    recent: Option<f32>,
}

enum Rules {
    BuiltIn(BuiltIn, Budget, Budget),
    Options(Box<Policy>),
}

/// All that is asked for, each once, in the order asked for. What can't be is refused before a model is loaded for it.
pub fn compared(arguments: &PoliciesArguments) -> Result<Vec<Compared>, Error> {
    let recent = Some(arguments.recent_share.0);
    let mut all: Vec<Compared> = Vec::new();
    let mut named: Vec<BuiltIn> = arguments.names.iter().flatten().copied().collect();
    if named.is_empty() && arguments.others.is_empty() {
        named = paper();
    }
    for ratio in &arguments.decode_ratio {
        for &built_in in &named {
            let name = match built_in.decodes() {
                true => format!("{} {}%", built_in.name(), ratio.0 * 100.0),
                false => built_in.name(),
            };
            let prefill = Budget::OfPrompt(arguments.prefill_share.0);
            let rules = Rules::BuiltIn(built_in, prefill, Budget::OfExpected(ratio.0));
            all.push(Compared {
                name,
                rules,
                recent,
            });
        }
    }
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
            Rules::BuiltIn(built_in, prefill, decode) => base
                .with_prefill(built_in.prefill)
                .with_prefill_budget(*prefill)
                .with_decode(built_in.decode)
                .with_decode_budget(*decode),
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
}
