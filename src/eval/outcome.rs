//! Result of one policy on one example.

use serde::{Deserialize, Serialize};

use super::divergence::Divergence;
use crate::cache::MemoryReport;

/// Equal parts of an answer for which the divergence is reported, to show its growth.
pub const PARTS: usize = 8;

/// One policy on one example: means over the positions of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Positions compared.
    pub positions: usize,
    /// KL(full ‖ policy), in nats.
    pub kl: f64,
    /// KL over the second half of the positions.
    pub kl_second_half: f64,
    /// KL over each of [`PARTS`] equal parts.
    pub kl_by_part: Vec<f64>,
    /// Share of positions with the full cache's likeliest token.
    pub agreement: f64,
    /// Agreement over the second half of the positions.
    pub agreement_second_half: f64,
    /// Nats per token of the gold answer.
    pub loss: f64,
    /// Most bytes that the cache held, from the end of the prefill on.
    pub most_bytes: u64,
    /// Mean of the bytes that it held after each token.
    pub mean_bytes: u64,
    /// Most bytes of a full cache in f16.
    pub full_bytes: u64,
}

/// Adds up to an [`Outcome`], position by position.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    all: Vec<Divergence>,
    most_bytes: u64,
    sum_bytes: u64,
    full_bytes: u64,
}

impl Tally {
    /// Records the memory of a cache before the answer's first token.
    pub fn begin(&mut self, memory: MemoryReport) {
        self.most_bytes = self.most_bytes.max(memory.held_bytes);
        self.full_bytes = self.full_bytes.max(memory.full_bytes);
    }

    /// Records one position, and the cache's memory at it.
    pub fn add(&mut self, divergence: Divergence, memory: MemoryReport) {
        self.begin(memory);
        self.sum_bytes += memory.held_bytes;
        self.all.push(divergence);
    }

    /// The means; 0 without positions.
    pub fn outcome(&self) -> Outcome {
        let count = self.all.len();
        let (whole, half) = (&self.all[..], &self.all[count / 2..]);
        let kl = |part: &[Divergence]| mean(part, |it| it.kl);
        let agreement = |part: &[Divergence]| mean(part, |it| f64::from(u8::from(it.agrees)));
        let parts = (0..PARTS).map(|part| part * count / PARTS..(part + 1) * count / PARTS);
        Outcome {
            positions: count,
            kl: kl(whole),
            kl_second_half: kl(half),
            kl_by_part: parts.map(|part| kl(&self.all[part])).collect(),
            agreement: agreement(whole),
            agreement_second_half: agreement(half),
            loss: mean(whole, |it| it.loss),
            most_bytes: self.most_bytes,
            mean_bytes: self.sum_bytes / count.max(1) as u64,
            full_bytes: self.full_bytes,
        }
    }
}

fn mean(all: &[Divergence], of: impl Fn(&Divergence) -> f64) -> f64 {
    all.iter().map(of).sum::<f64>() / all.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_as_by_hand() {
        let mut tally = Tally::default();
        let memory = |held_bytes, full_bytes| MemoryReport {
            held_bytes,
            full_bytes,
            ..MemoryReport::default()
        };
        tally.begin(memory(50, 60));
        for (kl, agrees, loss, held) in [
            (0.0, true, 1.0, 10),
            (0.5, true, 2.0, 20),
            (1.0, false, 3.0, 30),
            (4.5, true, 6.0, 20),
        ] {
            tally.add(Divergence { kl, agrees, loss }, memory(held, 100));
        }
        let outcome = tally.outcome();
        assert_eq!(outcome.positions, 4);
        assert_eq!((outcome.kl, outcome.kl_second_half), (1.5, 2.75));
        assert_eq!(
            (outcome.agreement, outcome.agreement_second_half),
            (0.75, 0.5)
        );
        assert_eq!(outcome.loss, 3.0);
        assert_eq!(
            (outcome.most_bytes, outcome.mean_bytes, outcome.full_bytes),
            (50, 20, 100)
        );
        assert_eq!(outcome.kl_by_part, [0.0, 0.0, 0.0, 0.5, 0.0, 1.0, 0.0, 4.5]);
    }
}
