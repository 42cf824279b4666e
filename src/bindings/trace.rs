//! The [trace](crate::eval::trace) task in JavaScript.

use serde::Serialize;
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::error::{conversion, invalid_argument};
use crate::eval::trace::Program;

/// A program of the trace task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct TraceProgram {
    /// Number of its lines.
    pub lines: usize,
    /// The seed that it follows from.
    pub seed: u32,
    /// The model's prompt: the lines, and `>`.
    pub prompt: String,
    /// The right answer.
    pub answer: String,
}

/// Grades of an answer's lines, one per line of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct TraceGrades {
    /// True for each line that is right to the character.
    pub right: Vec<bool>,
}

/// The program of a seed, as [`Program::random`] makes it.
#[wasm_bindgen]
pub fn trace_program(lines: usize, seed: u32) -> Result<Ts<TraceProgram>, JsValue> {
    let program = program(lines, seed)?;
    let made = TraceProgram {
        lines,
        seed,
        prompt: program.prompt(),
        answer: program.answer(),
    };
    made.into_ts().map_err(conversion)
}

/// Grades an answer to the program of a seed, as [`Program::grade`] does.
#[wasm_bindgen]
pub fn grade_trace(lines: usize, seed: u32, answer: &str) -> Result<Ts<TraceGrades>, JsValue> {
    let right = program(lines, seed)?.grade(answer);
    TraceGrades { right }.into_ts().map_err(conversion)
}

fn program(lines: usize, seed: u32) -> Result<Program, JsValue> {
    Program::random(lines, seed.into()).map_err(|error| invalid_argument(&error.to_string()))
}
