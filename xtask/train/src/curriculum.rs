//! How long the programs are, and when they get longer.

use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::eval::trace::Program;

/// Programs are as long at first.
const FIRST: usize = 6;
/// The longest programs that the model is for.
const LAST: usize = 48;
/// The share of right lines at which programs get longer.
const ENOUGH: f64 = 0.85;

/// The state of the curriculum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Curriculum {
    /// The most lines that a program has at present.
    pub longest: usize,
}

impl Curriculum {
    pub fn new() -> Self {
        Self { longest: FIRST }
    }

    /// The lines and literals of a step's programs: half the time of the longest kind, so that it is learnt, otherwise of
    /// any, so that short ones are not forgotten.
    pub fn draw(self, random: &mut Random) -> (usize, usize) {
        let longest = self.longest;
        let lines = match random.below(2) {
            0 => longest - random.below(longest / 4 + 1),
            _ => 2 + random.below(longest - 1),
        };
        let usual = Program::usual_literals(lines);
        let literals = usual + random.below(lines / 2 + 1 - usual);
        (lines, literals)
    }

    /// Takes the share of right lines of held-out programs of the longest kind.
    pub fn advance(&mut self, lines_right: f64) {
        if lines_right >= ENOUGH {
            let longer = self.longest + (self.longest / 2).max(1);
            self.longest = longer.min(LAST);
        }
    }
}
