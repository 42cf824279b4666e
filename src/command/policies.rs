//! The policies that are compared: by short names, and by the cache's own options.

use kvscope::Error;
use kvscope::cache::{CacheError, CacheType, CacheTypes, ScopeCacheConfig};
use kvscope::policy::presets::{NameError, Pair, Shares, frontier, paper};

use super::arguments::{PoliciesArguments, Policy, word};

/// The pairs of one short name, or of one that stands for many.
pub fn pairs(text: &str) -> Result<Vec<Pair>, NameError> {
    match text {
        "paper" => Ok(paper()),
        "frontier" => Ok(frontier()),
        name => Ok(vec![name.parse()?]),
    }
}

/// `pair` in `types` with a decode budget of the share `decode`, once per recent share and split
/// asked for.
fn at(pair: Pair, types: CacheTypes, decode: f32, arguments: &PoliciesArguments) -> Vec<Compared> {
    let splits: Vec<Option<f32>> = match arguments.split.as_slice() {
        splits if pair.compresses() && !splits.is_empty() => {
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
                name: titled(pair.title(shares, several.then_some(recent)), types),
                rules: Rules::Pair(pair, shares),
                recent: Some(recent),
                types: Some(types),
            }
        }));
    }
    all
}

/// A policy's title with its types, unless these are the default's.
fn titled(title: String, types: CacheTypes) -> String {
    if types == CacheType::F16.into() {
        title
    } else {
        format!("{title} {}", word(types))
    }
}

/// A policy that is compared.
pub struct Compared {
    pub name: String,
    rules: Rules,
    /// β2 as a share of the decode budget, where the policy has none of its own.
    recent: Option<f32>,
    /// Types of keys and values, where the policy has none of its own.
    types: Option<CacheTypes>,
}

enum Rules {
    Pair(Pair, Shares),
    Options(Box<Policy>),
}

/// All policies that are asked for, each once, in the order asked for. Invalid ones are refused
/// before a model is loaded for them.
pub fn compared(arguments: &PoliciesArguments) -> Result<Vec<Compared>, Error> {
    let mut named: Vec<Pair> = arguments.names.iter().flatten().copied().collect();
    if named.is_empty() && arguments.others.is_empty() {
        named = paper();
    }
    let mut all: Vec<Compared> = Vec::new();
    let types = arguments.types();
    for ratio in &arguments.decode_ratio {
        for &types in &types {
            let each = named.iter();
            all.extend(each.flat_map(|pair| at(*pair, types, ratio.0, arguments)));
        }
    }
    let recent = arguments.recent_share.first().map(|share| share.0);
    for policy in &arguments.others {
        let said = |option| policy.name.contains(option);
        let each: Vec<Option<CacheTypes>> = match said("cache-type") {
            true => vec![None],
            false => types.iter().copied().map(Some).collect(),
        };
        all.extend(each.into_iter().map(|types| Compared {
            name: match types {
                Some(types) => titled(policy.name.clone(), types),
                None => policy.name.clone(),
            },
            rules: Rules::Options(Box::new(policy.clone())),
            recent: recent.filter(|_| !said("recent=")),
            types,
        }));
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
    /// Its configuration for a model's cache, a prompt and an answer of these numbers of tokens.
    pub fn config(
        &self,
        model: ScopeCacheConfig,
        prompt: usize,
        answer: usize,
    ) -> Result<ScopeCacheConfig, CacheError> {
        let mut base = model.with_max_new_tokens(answer).with_recent(0);
        base.cache_type = self.types.unwrap_or_default();
        let mut config = match &self.rules {
            Rules::Pair(pair, shares) => {
                let (prefill, decode) = shares.budgets(prompt, answer, base.observation_window);
                base.with_prefill(pair.prefill)
                    .with_prefill_budget(prefill)
                    .with_decode(pair.decode)
                    .with_decode_budget(decode)
            }
            Rules::Options(policy) => {
                let mut options = policy.cache.options();
                options.decode.recent = options.decode.recent.filter(|_| self.recent.is_none());
                options.cache_type = options.cache_type.filter(|_| self.types.is_none());
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
    fn paper_stands_for_all_of_its_pairs() {
        assert_eq!(pairs("paper"), Ok(paper()));
        assert_eq!(pairs("snapkv+slide").unwrap().len(), 1);
        assert_eq!(pairs("tova"), Err(NameError::Pair));
    }
}
