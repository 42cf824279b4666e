//! Length of the programs over the training.

use serde::{Deserialize, Serialize};

use crate::eval::trace::Program;
use crate::random::Random;

/// Lines of the longest programs at first.
const FIRST: usize = 6;
/// Lines of the longest programs at the end.
const LAST: usize = 48;
/// Share of right lines at which programs get longer.
const ENOUGH: f64 = 0.85;

/// The state of the curriculum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Curriculum {
    /// Most lines of a program at present.
    pub longest: usize,
}

impl Curriculum {
    pub fn new() -> Self {
        Self { longest: FIRST }
    }

    /// Draws the lines and literals of a step's programs. Half the time they are the longest, to
    /// learn these; otherwise any, not to forget short ones.
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
