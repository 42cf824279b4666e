//! The numbers that describe one layer's slots. They follow from the rules and the number of
//! tokens, so the host knows them without asking the device.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::budget::TurnBudgets;
use super::capacity::{capacity, growth_stagger, prompt_capacity};
use super::order::replayed_skips;
use super::window::LayerRules;

/// Slots that one KV head holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadSlots {
    /// P: slots that prefill kept. Strategies over everything may evict some of them later; the
    /// number stays their measure.
    pub prefill: usize,
    /// All slots that the head holds now.
    pub held: usize,
}

impl HeadSlots {
    /// D: slots held beyond P. Under SCOPE's strategies these are the decode positions.
    pub fn decode(self) -> usize {
        self.held.saturating_sub(self.prefill)
    }
}

/// One layer's numbers. The serialised names are those of saved caches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerState {
    pub heads: Vec<HeadSlots>,
    /// Tokens seen so far, evicted or not: the next token's position.
    pub seen: usize,
    /// Tokens seen when the last prefill was finished; later positions are decode positions.
    pub boundary: usize,
    /// Slots that the last prefill filled, which are allocated exactly; later ones come in blocks.
    #[serde(rename = "settled")]
    pub prompt_slots: usize,
    /// A prompt that is appended in part or whole, but not finished.
    pub turn: Option<OpenTurn>,
    /// Steps at which the strategy was due since it last acted, and which it skipped.
    #[serde(rename = "waited")]
    pub skipped: usize,
    /// Number of newest positions that every head holds without a gap.
    #[serde(rename = "unbroken")]
    pub recent_run: usize,
    /// Positions of the tokens at whose steps a selection ran, as ranges.
    pub selections: Vec<Range<usize>>,
    /// The turn's budgets, resolved when its prefill was finished.
    pub budgets: TurnBudgets,
}

/// A prefill in progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenTurn {
    /// Slots in use. Heads that hold fewer have their empty slots first, so that positions ascend
    /// along the slots.
    pub width: usize,
    /// Tokens of this turn.
    pub new: usize,
}

impl LayerState {
    /// A layer of `heads` KV heads that hold nothing.
    pub fn new(heads: usize) -> Self {
        Self {
            heads: vec![HeadSlots::default(); heads],
            ..Self::default()
        }
    }

    /// t: decode steps since the last prefill.
    pub fn step(&self) -> usize {
        self.seen - self.boundary
    }

    /// The most slots that any head holds.
    pub fn most_held(&self) -> usize {
        self.heads.iter().map(|head| head.held).max().unwrap_or(0)
    }

    /// The most slots that prefill kept for any head.
    pub fn most_prefill(&self) -> usize {
        let kept = self.heads.iter().map(|head| head.prefill);
        kept.max().unwrap_or(0)
    }

    /// The open prompt, or the beginning of the next.
    pub fn open_turn(&self) -> OpenTurn {
        self.turn.unwrap_or_else(|| OpenTurn {
            width: self.most_held(),
            new: 0,
        })
    }

    /// Counts `count` more tokens of the prompt `turn`.
    pub fn append(&mut self, mut turn: OpenTurn, count: usize) {
        turn.width += count;
        turn.new += count;
        self.turn = Some(turn);
        self.take_in(count);
    }

    /// Counts tokens that every head now holds.
    pub(super) fn take_in(&mut self, count: usize) {
        for head in &mut self.heads {
            head.held += count;
        }
        self.seen += count;
        self.recent_run += count;
    }

    /// Notes that a selection ran at the step of the token at `position`.
    pub(super) fn note_selection(&mut self, position: usize) {
        match self.selections.last_mut() {
            Some(last) if last.end == position => last.end += 1,
            _ => self.selections.push(position..position + 1),
        }
    }

    /// `true` if something was evicted after `length` tokens had been seen.
    pub fn evicted_after(&self, length: usize) -> bool {
        let mut heads = self.heads.iter();
        if heads.all(|head| head.held == self.seen) {
            return false;
        }
        let selected = self.selections.iter().any(|range| range.end > length);
        selected || self.turn.is_some() || length < self.boundary
    }

    /// Forgets every position from `length` on.
    ///
    /// `held` are the slots that each head has left. `recent_run` are the newest positions that all
    /// of them hold without a gap. Inside the prompt, everything left becomes a finished prompt.
    pub fn truncate(
        &mut self,
        length: usize,
        held: &[usize],
        recent_run: usize,
        rules: LayerRules<'_>,
    ) {
        let fresh = self.turn.take().is_some() || length < self.boundary;
        for (head, held) in self.heads.iter_mut().zip(held) {
            *head = HeadSlots {
                prefill: if fresh { *held } else { head.prefill },
                held: *held,
            };
        }
        self.seen = length;
        self.recent_run = recent_run;
        for range in &mut self.selections {
            range.end = range.end.min(length);
        }
        self.selections.retain(|range| !range.is_empty());
        if fresh {
            self.boundary = length;
            self.prompt_slots = self.most_held();
            self.budgets = rules.budgets(length);
        }
        self.skipped = replayed_skips(self, rules);
    }

    /// Slots to have, so that a decode step which holds `needed` fits.
    pub fn decode_capacity(&self, needed: usize, rules: LayerRules<'_>) -> usize {
        let turn = rules.turn(self.budgets);
        let max_slots = rules.decode().max_slots(self.most_prefill(), &turn);
        let (block, prompt) = (rules.policy.block, self.prompt_slots);
        let stagger = growth_stagger(rules.layer, self.budgets.layers, block);
        capacity(needed, stagger, prompt, block, max_slots)
    }

    /// Slots that a full cache's `layer` would have allocated for the same tokens. The open prompt
    /// announced `reserved` of them.
    pub fn full_capacity(&self, rules: LayerRules<'_>, reserved: usize) -> usize {
        let block = rules.policy.block;
        match self.turn {
            _ if self.seen == 0 => 0,
            Some(turn) => {
                let before = self.seen - turn.new;
                prompt_capacity(self.seen, before, reserved, block)
            }
            // As in the real cache: a finished prompt comes with room for one token.
            None => {
                let needed = self.seen.max(self.boundary + 1);
                let stagger = growth_stagger(rules.layer, self.budgets.layers, block);
                capacity(needed, stagger, self.boundary, block, None)
            }
        }
    }
}

/// The number of newest positions before `length` that a head holds without a gap. `slots` are the
/// positions in its slots, below 0 where they are empty.
pub(crate) fn recent_run(slots: &[i32], length: usize) -> usize {
    let mut held = vec![false; length];
    for position in slots.iter().filter_map(|slot| usize::try_from(*slot).ok()) {
        if let Some(held) = held.get_mut(position) {
            *held = true;
        }
    }
    held.iter().rev().take_while(|held| **held).count()
}
