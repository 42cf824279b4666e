//! Spots of measurement in a generation: caches at some position under some policy.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::Outcome;
use crate::plan::{Curve, Filled, Plan};
use crate::thin::Thin;

/// One spot and its plan.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spot {
    pub id: usize,
    pub kind: Kind,
    pub policy: String,
    /// Tokens seen when the counted steps begin, roughly: the table's label.
    pub context: usize,
    /// Tokens seen before the first step.
    pub position: usize,
    /// Slots held per head then.
    pub held: usize,
    /// Slots allocated per head then.
    pub capacity: usize,
    /// Warm-up steps before the counted ones.
    pub warm: usize,
    /// Counted steps.
    pub steps: usize,
    pub rounds: usize,
    /// Counted steps at which each layer selects.
    pub selections: usize,
    /// Bytes of [`Thin::save`].
    #[serde(skip)]
    pub saved: Vec<u8>,
    /// Bytes of the tensors in it, if their rows are to be kept.
    #[serde(skip)]
    pub parts: Option<Vec<usize>>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    Decode,
    Selection,
    Curve,
    Storage,
}

impl Spot {
    /// Returns whether its turns alternate with `other`'s.
    pub fn in_group_of(&self, other: &Self) -> bool {
        self.kind == other.kind && (self.context == other.context || self.kind == Kind::Curve)
    }
}

/// Finds every spot of `plan` in a model with heads of `head_dim`, those of a group one after the
/// other.
pub fn all(plan: &Plan, head_dim: usize) -> Outcome<Vec<Spot>> {
    let mut spots = Vec::new();
    for decode in &plan.decode {
        let counted = Counted {
            kind: Kind::Decode,
            context: decode.context,
            first: decode.context,
            steps: plan.steps,
            rounds: plan.rounds,
        };
        spots.push(counted.spot(plan, &mut Thin::new(&decode.filled)?, &decode.filled)?);
    }
    for selection in &plan.selection {
        let counted = Counted {
            kind: Kind::Selection,
            context: selection.context,
            first: selection.context,
            steps: selection.steps,
            rounds: 1,
        };
        spots.push(counted.spot(plan, &mut Thin::new(&selection.filled)?, &selection.filled)?);
    }
    for storage in &plan.storage {
        let counted = Counted {
            kind: Kind::Storage,
            context: storage.context,
            first: storage.context,
            steps: plan.steps,
            rounds: plan.rounds,
        };
        let mut thin = Thin::with_rows(&storage.filled, head_dim)?;
        thin.go_to(counted.first - plan.warm)?;
        let parts = Some(thin.parts());
        let spot = counted.spot(plan, &mut thin, &storage.filled)?;
        spots.push(Spot { parts, ..spot });
    }
    for curve in &plan.curve {
        let mut thin = Thin::new(&curve.filled)?;
        for first in windows(curve)? {
            let counted = Counted {
                kind: Kind::Curve,
                context: first,
                first,
                steps: curve.window,
                rounds: plan.rounds,
            };
            spots.push(counted.spot(plan, &mut thin, &curve.filled)?);
        }
    }
    for (id, spot) in spots.iter_mut().enumerate() {
        spot.id = id;
    }
    Ok(spots)
}

/// The counted steps.
struct Counted {
    kind: Kind,
    context: usize,
    /// Position of the first one's token.
    first: usize,
    steps: usize,
    rounds: usize,
}

impl Counted {
    /// Takes `thin` to the beginning of the warm-up steps.
    fn spot(self, plan: &Plan, thin: &mut Thin, filled: &Filled) -> Outcome<Spot> {
        let Self { first, steps, .. } = self;
        thin.go_to(first - plan.warm)?;
        let mut spot = Spot {
            id: 0,
            kind: self.kind,
            policy: filled.policy.clone(),
            context: self.context,
            position: thin.position(),
            held: thin.held(),
            capacity: thin.capacity(),
            warm: plan.warm,
            steps,
            rounds: self.rounds,
            selections: 0,
            saved: thin.save()?,
            parts: None,
        };
        thin.go_to(first + steps)?;
        let selections = thin.selections().into_iter();
        let counted = first..first + steps;
        spot.selections = selections.filter(|it| counted.contains(it)).count();
        Ok(spot)
    }
}

/// Beginnings of the curve's windows: the first selection, regular distances from it, and around
/// every growth of the cache's memory.
fn windows(curve: &Curve) -> Outcome<Vec<usize>> {
    let mut thin = Thin::new(&curve.filled)?;
    let mut filled = None;
    let mut first = BTreeSet::new();
    while thin.position() <= curve.to {
        let capacity = thin.capacity();
        thin.step()?;
        let position = thin.position();
        if filled.is_none() && !thin.selections().is_empty() {
            filled = Some(position - 1);
        }
        let Some(filled) = filled else { continue };
        let regular = (position - 1 - filled).is_multiple_of(curve.every);
        if regular {
            first.insert(position - 1);
        }
        if thin.capacity() != capacity {
            first.insert((position - 2).max(filled));
        }
    }
    let mut apart: Vec<usize> = Vec::new();
    for start in first {
        // A walk goes forward only, and a window has its warm-up steps before it.
        if apart
            .last()
            .is_none_or(|last| start > last + 2 * curve.window)
        {
            apart.push(start);
        }
    }
    Ok(apart)
}
