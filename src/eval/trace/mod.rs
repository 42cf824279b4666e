//! **trace**: a task of long output with checkable answers, in the shape of LongGenBench (Liu et
//! al., arXiv 2410.04199).
//!
//! A prompt is a [`Program`]: lines like `d=7;` and `e=c*d;`, each letter assigned once, then `>`.
//! The answer executes it line by line, and restates each line with the values of its operands:
//! `d=7;`, `e=c*d=3*7=1;`. Arithmetic is on single digits, modulo 10. Every line takes two things:
//! the next line, from the prompt, and its operands' values, from output written long before.
//!
//! Programs are made from a seed; answers are [graded](Program::grade) by exact match, line by
//! line.

mod grade;
mod operator;
mod program;
mod tally;

pub use operator::Operator;
pub use program::{Expression, MAX_LINES, Program, TraceError};
pub use tally::Tally;
