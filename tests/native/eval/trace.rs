//! The trace task against a plain interpreter of its programs' text.

use std::collections::HashMap;

use kvscope::eval::trace::{MAX_LINES, Program, TraceError};
use proptest::prelude::*;

/// Executes the text of a prompt, knowing nothing of the library, and writes the answer.
fn interpret(prompt: &str) -> String {
    let mut values = HashMap::new();
    let mut answer = String::new();
    for line in prompt.strip_suffix(";>").unwrap().split(';') {
        let (variable, right) = line.split_once('=').unwrap();
        let right: Vec<char> = right.chars().collect();
        let value = match right[..] {
            [digit] => {
                answer += line;
                digit.to_digit(10).unwrap() as i32
            }
            [left, operator, right] => {
                let (x, y): (i32, i32) = (values[&left], values[&right]);
                let value = match operator {
                    '+' => x + y,
                    '-' => x - y,
                    '*' => x * y,
                    other => panic!("{other} is no operator"),
                };
                let value = value.rem_euclid(10);
                answer += &format!("{line}={x}{operator}{y}={value}");
                value
            }
            _ => panic!("{line} is no line"),
        };
        answer.push(';');
        let mut letters = variable.chars();
        let variable = letters.next().unwrap();
        assert!(variable.is_ascii_alphabetic() && letters.next().is_none());
        assert_eq!(values.insert(variable, value), None, "{variable} twice");
    }
    answer
}

proptest! {
    #[test]
    fn the_answer_is_what_an_interpreter_gives(lines in 1..=MAX_LINES, seed: u64) {
        let program = Program::random(lines, seed).unwrap();
        prop_assert_eq!(program.answer(), interpret(&program.prompt()));
        prop_assert_eq!(program.grade(&program.answer()), vec![true; lines]);
    }

    #[test]
    fn one_wrong_character_is_one_wrong_line(
        lines in 1..=MAX_LINES,
        seed: u64,
        place: prop::sample::Index,
    ) {
        let program = Program::random(lines, seed).unwrap();
        let mut answer = program.answer().into_bytes();
        let place = place.index(answer.len());
        // Not at the ends of lines: there two would become one.
        prop_assume!(answer[place] != b';');
        let line = answer[..place].iter().filter(|&&byte| byte == b';').count();
        answer[place] = if answer[place] == b'5' { b'6' } else { b'5' };
        let mut expected = vec![true; lines];
        expected[line] = false;
        prop_assert_eq!(program.grade(&String::from_utf8(answer).unwrap()), expected);
    }

    #[test]
    fn programs_of_as_many_lines_are_as_long(lines in 1..=MAX_LINES, seed: u64) {
        let program = Program::random(lines, seed).unwrap();
        let literals = Program::usual_literals(lines);
        prop_assert_eq!(program.prompt().len(), 4 * literals + 6 * (lines - literals) + 1);
        prop_assert_eq!(program.answer().len(), 4 * literals + 12 * (lines - literals));
    }

    #[test]
    fn grading_takes_any_text(lines in 1..=MAX_LINES, seed: u64, answer: String) {
        let program = Program::random(lines, seed).unwrap();
        prop_assert_eq!(program.grade(&answer).len(), lines);
    }
}

/// Written down once: whoever has the seed gets the program, on any platform and with any later
/// release.
#[test]
fn a_seed_is_its_program() {
    let program = Program::random(6, 1).unwrap();
    assert_eq!(program.prompt(), "t=7;q=t-t;P=t+q;V=t-P;T=3;l=T*V;>");
    assert_ne!(program, Program::random(6, 2).unwrap());
}

#[test]
fn sizes_that_no_program_has_are_refused() {
    for lines in [0, MAX_LINES + 1, usize::MAX] {
        let refused = Program::random(lines, 1);
        assert_eq!(refused, Err(TraceError::Lines { lines }));
    }
    for literals in [0, 5] {
        let refused = Program::with_literals(4, literals, 1);
        assert_eq!(refused, Err(TraceError::Literals { literals, lines: 4 }));
    }
}
