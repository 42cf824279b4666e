//! Sequences to train on: programs of one length with their answers.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::eval::trace::{Program, TraceError};
use crate::vocabulary::{self, BOS, EOS};

/// Hints per token, which the model learns to find out.
pub const HINTS: usize = 3;
/// Characters of the longest line of a prompt.
const LONGEST_LINE: usize = 6;

/// Sequences of one length. All its programs have as many lines and as many literals.
pub struct Batch {
    pub programs: Vec<Program>,
    /// Tokens of each sequence, one after the other, marks included.
    tokens: Vec<u32>,
    /// [Hints](Self::hints) of each token.
    hints: Vec<[u32; HINTS]>,
    /// Tokens per sequence.
    pub length: usize,
    /// Place of `>`, where the first token of the answer is predicted.
    pub first: usize,
}

impl Batch {
    /// Generates the programs of some seeds.
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

    /// Number of sequences.
    pub fn size(&self) -> usize {
        self.programs.len()
    }

    /// Inputs of the model, `[size, length − 1]`.
    pub fn inputs(&self, device: &Device) -> Tensor<2, Int> {
        let shape = [self.size(), self.length - 1];
        let tokens = columns(&self.tokens, self.length, 0..self.length - 1);
        tensor(tokens, device).reshape(shape)
    }

    /// Targets after each token from `>` on, `[size · (length − 1 − first)]`.
    pub fn targets(&self, device: &Device) -> Tensor<1, Int> {
        tensor(self.target_tokens(), device)
    }

    /// Targets as numbers, one sequence after the other.
    pub fn target_tokens(&self) -> Vec<u32> {
        columns(&self.tokens, self.length, self.first + 1..self.length)
    }

    /// Targets of the early layers for every input token but the first, one after the other. They
    /// are the variable of its line, its place in the line, and the token three before.
    /// `[size · (length − 2) · HINTS]`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_its_marks_prompt_and_answer() {
        let batch = Batch::new(3, 1, [5, 6].into_iter()).unwrap();
        assert_eq!(batch.size(), 2);
        // 1 + "a=1;b=a+a;c=a+b;>" + "a=1;b=a+a=1+1=2;c=a+b=1+2=3;" + 1
        assert_eq!((batch.first, batch.length), (17, 47));
        let second = &batch.tokens[47..];
        let program = Program::with_literals(3, 1, 6).unwrap();
        let text = program.prompt() + &program.answer();
        let tokens: Vec<u32> = text.chars().map(vocabulary::token).collect();
        assert_eq!(
            (second[0], &second[1..46], second[46]),
            (BOS, &tokens[..], EOS)
        );
        let targets = batch.target_tokens();
        assert_eq!(targets[29..], second[18..]);
    }

    #[test]
    fn hints_name_the_line_the_place_and_the_third_before() {
        let batch = Batch::new(2, 1, std::iter::once(1)).unwrap();
        let program = &batch.programs[0];
        let [a, b] = [0, 1].map(|line| vocabulary::token(program.variables()[line]));
        let equals = vocabulary::token('=');
        // 1 + "a=1;b=a+a;>" + "a=1;b=a+a=1+1=2;" + 1: the second line of the prompt, then the
        // result of the answer's.
        assert_eq!(batch.hints[5 + 1][..2], [b, 1]);
        assert_eq!(batch.hints[5 + 5], [b, 5, a]);
        let result = 1 + 11 + 4 + 10;
        assert_eq!(batch.hints[result][..2], [b, 16]);
        assert_eq!(batch.tokens[result - 1], equals);
    }
}
