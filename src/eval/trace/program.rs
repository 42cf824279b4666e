//! Programs: their lines, how they are made, and what executing them gives.

use std::fmt::Write as _;

use thiserror::Error;

use super::operator::Operator;
use crate::generate::random::Random;

/// The most lines that a program can have: there are 52 letters, each assigned once.
pub const MAX_LINES: usize = 52;
/// What ends a prompt: the answer comes next.
const PROMPT_END: char = '>';
/// How operators are drawn: products are fewer, as they drive values to 0.
const OPERATORS: [Operator; 5] = [
    Operator::Add,
    Operator::Add,
    Operator::Subtract,
    Operator::Subtract,
    Operator::Multiply,
];

/// Why there is no such program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TraceError {
    /// A number of lines that no program has.
    #[error("a program of {lines} lines: it has 1 to {MAX_LINES}")]
    Lines {
        /// What was asked for.
        lines: usize,
    },
    /// A number of literals that a program of that length can't have.
    #[error("{literals} literals in a program of {lines} lines: 1 to {lines}")]
    Literals {
        /// What was asked for.
        literals: usize,
        /// The program's lines.
        lines: usize,
    },
}

/// The right side of a line. Operands are lines before it, by their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expression {
    /// A digit.
    Literal(u8),
    /// An operation on the values of two lines.
    Operation {
        /// The line of the first operand.
        left: usize,
        /// What is done.
        operator: Operator,
        /// The line of the second operand.
        right: usize,
    },
}

/// A program, with every line's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// What each line assigns to, one letter a line.
    variables: Vec<char>,
    expressions: Vec<Expression>,
    values: Vec<u8>,
}

impl Program {
    /// The program of a seed, of `lines` lines, of which [`usual_literals`](Self::usual_literals) are literals.
    ///
    /// All programs of as many lines have prompts of the same length, and answers too.
    ///
    /// # Errors
    ///
    /// [`TraceError::Lines`].
    pub fn random(lines: usize, seed: u64) -> Result<Self, TraceError> {
        Self::with_literals(lines, Self::usual_literals(lines), seed)
    }

    /// A quarter of the lines, rounded up.
    pub fn usual_literals(lines: usize) -> usize {
        lines.div_ceil(4)
    }

    /// The program of a seed with another number of literals. The first line is one; operands are drawn from all lines
    /// before, so that they are as often far away as near.
    ///
    /// # Errors
    ///
    /// [`TraceError`] for numbers that do not go together.
    pub fn with_literals(lines: usize, literals: usize, seed: u64) -> Result<Self, TraceError> {
        if !(1..=MAX_LINES).contains(&lines) {
            return Err(TraceError::Lines { lines });
        }
        if !(1..=lines).contains(&literals) {
            return Err(TraceError::Literals { literals, lines });
        }
        let mut random = Random::new(seed);
        let mut variables: Vec<char> = ('a'..='z').chain('A'..='Z').collect();
        random.shuffle(&mut variables, lines);
        variables.truncate(lines);

        let mut later: Vec<usize> = (1..lines).collect();
        random.shuffle(&mut later, literals - 1);
        later.truncate(literals - 1);

        let mut program = Self {
            variables,
            expressions: Vec::with_capacity(lines),
            values: Vec::with_capacity(lines),
        };
        for line in 0..lines {
            let expression = if line == 0 || later.contains(&line) {
                Expression::Literal(random.below(10) as u8)
            } else {
                Expression::Operation {
                    left: random.below(line),
                    operator: OPERATORS[random.below(OPERATORS.len())],
                    right: random.below(line),
                }
            };
            program.push(expression);
        }
        Ok(program)
    }

    /// Appends a line whose operands are before it.
    fn push(&mut self, expression: Expression) {
        let value = match expression {
            Expression::Literal(digit) => digit,
            Expression::Operation {
                left,
                operator,
                right,
            } => operator.apply(self.values[left], self.values[right]),
        };
        self.expressions.push(expression);
        self.values.push(value);
    }

    /// How many lines it has.
    pub fn lines(&self) -> usize {
        self.expressions.len()
    }

    /// What each line assigns to.
    pub fn variables(&self) -> &[char] {
        &self.variables
    }

    /// The right side of each line.
    pub fn expressions(&self) -> &[Expression] {
        &self.expressions
    }

    /// The value of each line.
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// What a model is asked: the lines, and `>`.
    pub fn prompt(&self) -> String {
        let mut prompt = String::new();
        for line in 0..self.lines() {
            self.write_line(&mut prompt, line, false);
        }
        prompt.push(PROMPT_END);
        prompt
    }

    /// What a model should say.
    pub fn answer(&self) -> String {
        (0..self.lines())
            .map(|line| self.answer_line(line))
            .collect()
    }

    /// One line of the answer, with its `;`. Empty beyond the last.
    pub fn answer_line(&self, line: usize) -> String {
        let mut answer = String::new();
        if line < self.lines() {
            self.write_line(&mut answer, line, true);
        }
        answer
    }

    fn write_line(&self, text: &mut String, line: usize, executed: bool) {
        let variable = self.variables[line];
        let value = self.values[line];
        // Writing to a string can't fail.
        let _ = match self.expressions[line] {
            Expression::Literal(digit) => write!(text, "{variable}={digit}"),
            Expression::Operation {
                left,
                operator,
                right,
            } => {
                let (a, b) = (self.variables[left], self.variables[right]);
                let (x, y) = (self.values[left], self.values[right]);
                if executed {
                    write!(text, "{variable}={a}{operator}{b}={x}{operator}{y}={value}")
                } else {
                    write!(text, "{variable}={a}{operator}{b}")
                }
            }
        };
        text.push(';');
    }
}

#[cfg(test)]
impl Program {
    /// The program of some lines, for cases by hand.
    pub(super) fn of(lines: &[(char, Expression)]) -> Self {
        let mut program = Self {
            variables: lines.iter().map(|(variable, _)| *variable).collect(),
            expressions: Vec::new(),
            values: Vec::new(),
        };
        for (_, expression) in lines {
            program.push(*expression);
        }
        program
    }
}
