//! Means over examples, with their intervals.

use std::collections::BTreeMap;
use std::fmt;

use kvscope::eval::{Interval, Outcome, Weighted, interval, mean};
use serde::{Deserialize, Serialize};

use super::record::{Measured, Record};

/// Key of the rows over all files.
pub const ALL: &str = "all";

/// One policy over several examples.
#[derive(Serialize, Deserialize, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    pub policy: String,
    pub examples: usize,
    /// Positions compared.
    pub positions: usize,
    pub kl: Mean,
    pub kl_second_half: Mean,
    /// Per equal part of the answer, from its beginning.
    pub kl_by_part: Vec<f64>,
    pub agreement: Mean,
    pub agreement_second_half: Mean,
    pub loss: Mean,
    /// Mean over examples of the most bytes held.
    pub most_bytes: f64,
    /// Mean over positions of the bytes held.
    pub mean_bytes: f64,
    /// Mean over examples of the most bytes of a full cache in f16.
    pub full_bytes: f64,
}

/// A mean over positions, and its 95 % interval over examples if there are several.
#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub struct Mean {
    pub mean: f64,
    pub interval: Option<Interval>,
}

impl Row {
    /// Most bytes held, as a share of a full cache's in f16.
    pub fn share(&self) -> f64 {
        self.most_bytes / self.full_bytes.max(1.0)
    }
}

impl fmt::Display for Mean {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = formatter.precision().unwrap_or(4);
        write!(formatter, "{:.digits$}", self.mean)?;
        match self.interval {
            Some(Interval { low, high }) => {
                write!(formatter, " ({low:.digits$}–{high:.digits$})")
            }
            None => Ok(()),
        }
    }
}

/// Rows by file of examples, and over all of them.
pub fn summary(record: &Record, resamples: usize, seed: u64) -> BTreeMap<String, Vec<Row>> {
    let mut groups: BTreeMap<String, Vec<&Measured>> = BTreeMap::new();
    for example in &record.examples {
        for key in [ALL, &example.data] {
            groups.entry(key.to_owned()).or_default().push(example);
        }
    }
    let rows = |examples: Vec<&Measured>| {
        let policies = record.identity.policies.iter().enumerate();
        policies
            .map(|(number, name)| {
                let outcomes = examples.iter().filter_map(|it| it.outcomes.get(number));
                row(name, &outcomes.collect::<Vec<_>>(), resamples, seed)
            })
            .collect()
    };
    let groups = groups.into_iter();
    groups
        .map(|(key, examples)| (key, rows(examples)))
        .collect()
}

fn row(policy: &str, outcomes: &[&Outcome], resamples: usize, seed: u64) -> Row {
    let weighted = |of: &dyn Fn(&Outcome) -> f64, half: bool| -> Vec<Weighted> {
        let weighted = outcomes.iter().map(|outcome| Weighted {
            value: of(outcome),
            weight: if half {
                outcome.positions.div_ceil(2) as f64
            } else {
                outcome.positions as f64
            },
        });
        weighted.collect()
    };
    let over = |of: &dyn Fn(&Outcome) -> f64, half: bool| {
        let examples = weighted(of, half);
        Mean {
            mean: mean(&examples),
            interval: interval(&examples, 0.95, resamples, seed),
        }
    };
    let count = outcomes.len().max(1) as f64;
    let each =
        |of: &dyn Fn(&Outcome) -> u64| outcomes.iter().map(|it| of(it) as f64).sum::<f64>() / count;
    let parts = outcomes.iter().map(|it| it.kl_by_part.len()).min();
    let part = |part: usize| {
        let of = |outcome: &Outcome| outcome.kl_by_part.get(part).copied().unwrap_or(0.0);
        mean(&weighted(&of, false))
    };
    Row {
        policy: policy.to_owned(),
        examples: outcomes.len(),
        positions: outcomes.iter().map(|it| it.positions).sum(),
        kl: over(&|it| it.kl, false),
        kl_second_half: over(&|it| it.kl_second_half, true),
        kl_by_part: (0..parts.unwrap_or(0)).map(part).collect(),
        agreement: over(&|it| it.agreement, false),
        agreement_second_half: over(&|it| it.agreement_second_half, true),
        loss: over(&|it| it.loss, false),
        most_bytes: each(&|it| it.most_bytes),
        mean_bytes: mean(&weighted(&|it| it.mean_bytes as f64, false)),
        full_bytes: each(&|it| it.full_bytes),
    }
}
