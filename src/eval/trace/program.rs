//! Programs: their lines, generation and execution.

use std::fmt::Write as _;

use thiserror::Error;

use super::operator::Operator;
use crate::generate::random::Random;

/// Most lines of a program: there are 52 letters, each assigned once.
pub const MAX_LINES: usize = 52;
/// End of a prompt: the answer comes next.
const PROMPT_END: char = '>';
/// Operators to draw from: products are fewer, as they drive values to 0.
const OPERATORS: [Operator; 5] = [
    Operator::Add,
    Operator::Add,
    Operator::Subtract,
    Operator::Subtract,
    Operator::Multiply,
];

/// Error of a program that can't exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TraceError {
    /// Number of lines that no program has.
    #[error("a program of {lines} lines: it has 1 to {MAX_LINES}")]
    Lines {
        /// Lines requested.
        lines: usize,
    },
    /// Number of literals that a program of this length can't have.
    #[error("{literals} literals in a program of {lines} lines: 1 to {lines}")]
    Literals {
        /// Literals requested.
        literals: usize,
        /// Lines of the program.
        lines: usize,
    },
}

/// Right side of a line. Operands are indices of earlier lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expression {
    /// A digit.
    Literal(u8),
    /// An operation on the values of two lines.
    Operation {
        /// Line of the first operand.
        left: usize,
        /// Operator.
        operator: Operator,
        /// Line of the second operand.
        right: usize,
    },
}

/// A program, with every line's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Variable that each line assigns, one letter per line.
    variables: Vec<char>,
    expressions: Vec<Expression>,
    values: Vec<u8>,
}

impl Program {
    /// Generates the program of a seed, with `lines` lines, of which
    /// [`usual_literals`](Self::usual_literals) are literals.
    ///
    /// All programs of one length have prompts of one length, and answers of one length.
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

    /// Generates the program of a seed with another number of literals. The first line is one.
    /// Operands are drawn from all earlier lines, so that they are as often far away as near.
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

    /// Appends a line whose operands are earlier lines.
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

    /// Number of lines.
    pub fn lines(&self) -> usize {
        self.expressions.len()
    }

    /// Variable that each line assigns.
    pub fn variables(&self) -> &[char] {
        &self.variables
    }

    /// Right side of each line.
    pub fn expressions(&self) -> &[Expression] {
        &self.expressions
    }

    /// Value of each line.
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// Prompt for a model: the lines, and `>`.
    pub fn prompt(&self) -> String {
        let mut prompt = String::new();
        for line in 0..self.lines() {
            self.write_line(&mut prompt, line, false);
        }
        prompt.push(PROMPT_END);
        prompt
    }

    /// Answer that a model should give.
    pub fn answer(&self) -> String {
        (0..self.lines())
            .map(|line| self.answer_line(line))
            .collect()
    }

    /// One line of the answer, with its `;`; empty beyond the last.
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
    /// The program of given lines, for cases by hand.
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
