//! Sequences to train on: programs of one length with their answers.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::trace::{Program, TraceError};
use crate::vocabulary::{self, BOS, EOS};

/// How many things the model is told to find out of each token.
pub const HINTS: usize = 3;
/// Characters of the longest line of a prompt.
const LONGEST_LINE: usize = 6;

/// Sequences of one length. All programs in it have as many lines and as many literals.
pub struct Batch {
    pub programs: Vec<Program>,
    /// Tokens of each sequence, one after the other, its marks included.
    tokens: Vec<u32>,
    /// The [hints](Self::hints) of each token.
    hints: Vec<[u32; HINTS]>,
    /// Tokens of one sequence.
    pub length: usize,
    /// The place of `>`, where the first token of the answer is foretold.
    pub first: usize,
}

impl Batch {
    /// The programs of some seeds.
    pub fn new(
        lines: usize,
        literals: usize,
        seeds: impl Iterator<Item = u64>,
    ) -> Result<Self, TraceError> {
        let programs: Vec<Program> = seeds
            .map(|seed| Program::with_literals(lines, literals, seed))
            .collect::<Result<_, _>>()?;
        let (mut tokens, mut hints) = (Vec::new(), Vec::new());
        let (mut length, mut first) = (0, 0);
        for program in &programs {
            let (prompt, answer) = (program.prompt(), program.answer());
            first = prompt.len();
            length = prompt.len() + answer.len() + 2;
            tokens.push(BOS);
            tokens.extend(prompt.chars().chain(answer.chars()).map(vocabulary::token));
            tokens.push(EOS);
            hints.push([BOS; HINTS]);
            let sequence: Vec<char> = prompt.chars().chain(answer.chars()).collect();
            let mut begun = 0;
            for (place, &character) in sequence.iter().enumerate() {
                let in_line = place - begun;
                let in_line = if place < first {
                    in_line
                } else {
                    in_line + LONGEST_LINE
                };
                hints.push([
                    vocabulary::token(sequence[begun]),
                    in_line as u32,
                    vocabulary::token(sequence[place.saturating_sub(3)]),
                ]);
                if matches!(character, ';' | '>') {
                    begun = place + 1;
                }
            }
            hints.push([EOS; HINTS]);
        }
        Ok(Self {
            programs,
            tokens,
            hints,
            length,
            first,
        })
    }

    /// How many sequences.
    pub fn size(&self) -> usize {
        self.programs.len()
    }

    /// What the model reads, `[size, length − 1]`.
    pub fn inputs(&self, device: &Device) -> Tensor<2, Int> {
        let shape = [self.size(), self.length - 1];
        let tokens = columns(&self.tokens, self.length, 0..self.length - 1);
        tensor(tokens, device).reshape(shape)
    }

    /// What it should say after each token from `>` on, `[size · (length − 1 − first)]`.
    pub fn targets(&self, device: &Device) -> Tensor<1, Int> {
        tensor(self.target_tokens(), device)
    }

    /// The same as numbers, one sequence after the other.
    pub fn target_tokens(&self) -> Vec<u32> {
        columns(&self.tokens, self.length, self.first + 1..self.length)
    }

    /// What early layers should find out of every token that the model reads but the first, one after the other: what its
    /// line assigns to, its place in the line, and the token three before. `[size · (length − 2) · HINTS]`.
    pub fn hints(&self, device: &Device) -> Tensor<1, Int> {
        let hints = columns(&self.hints, self.length, 1..self.length - 1);
        tensor(hints.into_iter().flatten(), device)
    }
}

/// Some columns of sequences of `length` tokens.
fn columns<T: Copy>(tokens: &[T], length: usize, range: Range<usize>) -> Vec<T> {
    let sequences = tokens.chunks_exact(length);
    sequences
        .flat_map(|sequence| sequence[range.clone()].iter().copied())
        .collect()
}

fn tensor(tokens: impl IntoIterator<Item = u32>, device: &Device) -> Tensor<1, Int> {
    let tokens: Vec<i32> = tokens.into_iter().map(|token| token as i32).collect();
    let count = tokens.len();
    Tensor::from_data(TensorData::new(tokens, [count]), device)
}
