//! Counts of right lines over many answers.

use serde::{Deserialize, Serialize};

/// Right answers per line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Answers graded.
    pub answers: usize,
    /// Right answers at each line, from the first on.
    pub right: Vec<usize>,
}

impl Tally {
    /// Counts a [graded](super::Program::grade) answer.
    pub fn add(&mut self, grades: &[bool]) {
        self.answers += 1;
        let longest = self.right.len().max(grades.len());
        self.right.resize(longest, 0);
        for (right, &grade) in self.right.iter_mut().zip(grades) {
            *right += usize::from(grade);
        }
    }

    /// Share of all lines that were right, from 0 to 1; 0 without answers.
    pub fn share(&self) -> f64 {
        let right: usize = self.right.iter().sum();
        let lines = self.answers * self.right.len();
        right as f64 / lines.max(1) as f64
    }

    /// Share per line, from the first on.
    pub fn by_line(&self) -> Vec<f64> {
        let answers = self.answers.max(1) as f64;
        let lines = self.right.iter();
        lines.map(|&right| right as f64 / answers).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_as_by_hand() {
        let mut tally = Tally::default();
        assert_eq!(tally.share(), 0.0);
        tally.add(&[true, true, false, false]);
        tally.add(&[true, false, false, true]);
        assert_eq!(tally.answers, 2);
        assert_eq!(tally.share(), 0.5);
        assert_eq!(tally.by_line(), [1.0, 0.5, 0.0, 0.5]);
    }
}
