//! Accuracy on held-out answers during training.

use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::eval::trace::{Expression, Program, TraceError};
use crate::model::{Model, Positions};
use crate::shape::Shape;

/// Sequences per forward pass.
const AT_ONCE: usize = 4;

/// Shares, from 0 to 1, of right characters if all before them are given right. A wrong line is
/// then the first wrong one when the model writes by itself.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Accuracy {
    /// Variable of a line: the next of the prompt.
    pub next: f64,
    /// Copies from the prompt: operands, operators, literals.
    pub copied: f64,
    /// Values of operands, from earlier lines of the answer.
    pub values: f64,
    /// Results.
    pub results: f64,
    /// Whole lines.
    pub lines: f64,
}

/// Role of a character in an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Next,
    Copied,
    Value,
    Result,
    /// The same for all lines of a form.
    Fixed,
}

/// The accuracy on the programs of some seeds.
pub fn evaluate(
    model: &Model,
    shape: &Shape,
    lines: usize,
    seeds: impl Iterator<Item = u64>,
    device: &Device,
) -> Result<Accuracy, TraceError> {
    let model = model.valid();
    let device = device.clone().inner();
    let mut counts = Counts::default();
    let seeds: Vec<u64> = seeds.collect();
    for seeds in seeds.chunks(AT_ONCE) {
        let literals = Program::usual_literals(lines);
        let batch = Batch::new(lines, literals, seeds.iter().copied())?;
        let positions = Positions::new(shape, batch.size(), batch.length - 1, &device);
        let said = model.forward(shape, batch.inputs(&device), &positions, batch.first);
        let chosen = said.next.argmax(1).into_data();
        let chosen: Vec<i64> = chosen.iter::<i64>().collect();
        let targets = batch.target_tokens();
        let answer = targets.len() / batch.size();
        let right: Vec<bool> = chosen
            .iter()
            .zip(&targets)
            .map(|(chosen, target)| *chosen == i64::from(*target))
            .collect();
        for (program, right) in batch.programs.iter().zip(right.chunks(answer)) {
            counts.add(program, right);
        }
    }
    Ok(counts.accuracy())
}

/// Right ones and all, by role, and of lines.
#[derive(Default)]
struct Counts {
    next: [usize; 2],
    copied: [usize; 2],
    values: [usize; 2],
    results: [usize; 2],
    lines: [usize; 2],
}

impl Counts {
    /// Counts an answer whose characters are `right` or not.
    fn add(&mut self, program: &Program, right: &[bool]) {
        let mut right = right.iter();
        for expression in program.expressions() {
            let mut whole = true;
            for role in roles(*expression) {
                let right = right.next().copied().unwrap_or(false);
                whole &= right;
                let count = match role {
                    Role::Next => &mut self.next,
                    Role::Copied => &mut self.copied,
                    Role::Value => &mut self.values,
                    Role::Result => &mut self.results,
                    Role::Fixed => continue,
                };
                add(count, right);
            }
            add(&mut self.lines, whole);
        }
    }

    fn accuracy(&self) -> Accuracy {
        let share = |[right, all]: [usize; 2]| right as f64 / all.max(1) as f64;
        Accuracy {
            next: share(self.next),
            copied: share(self.copied),
            values: share(self.values),
            results: share(self.results),
            lines: share(self.lines),
        }
    }
}

fn add(count: &mut [usize; 2], right: bool) {
    count[0] += usize::from(right);
    count[1] += 1;
}

/// The roles of a line's characters.
fn roles(expression: Expression) -> &'static [Role] {
    use Role::{Copied, Fixed, Next, Result, Value};
    match expression {
        Expression::Literal(_) => &[Next, Fixed, Copied, Fixed],
        Expression::Operation { .. } => &[
            Next, Fixed, Copied, Copied, Copied, Fixed, Value, Copied, Value, Fixed, Result, Fixed,
        ],
    }
}
