//! Grading answers by exact match.

use super::program::Program;

impl Program {
    /// Grades each line of `answer`, by position: as many as the program has lines. A right line
    /// equals the executed one to the character, with its `;`. A missing line therefore makes those
    /// after it wrong, and nothing after the last line counts.
    pub fn grade(&self, answer: &str) -> Vec<bool> {
        let mut given = answer.split_inclusive(';');
        (0..self.lines())
            .map(|line| given.next() == Some(self.answer_line(line).as_str()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::trace::{Expression, Operator};

    /// `d=7;c=d*d;a=c-d;`
    fn program() -> Program {
        let operation = |left, operator, right| Expression::Operation {
            left,
            operator,
            right,
        };
        Program::of(&[
            ('d', Expression::Literal(7)),
            ('c', operation(0, Operator::Multiply, 0)),
            ('a', operation(1, Operator::Subtract, 0)),
        ])
    }

    #[test]
    fn prompts_and_answers_are_as_by_hand() {
        assert_eq!(program().prompt(), "d=7;c=d*d;a=c-d;>");
        assert_eq!(program().answer(), "d=7;c=d*d=7*7=9;a=c-d=9-7=2;");
        assert_eq!(program().answer_line(1), "c=d*d=7*7=9;");
        assert_eq!(program().answer_line(3), "");
    }

    #[test]
    fn lines_are_graded_by_position() {
        let grade = |answer| program().grade(answer);
        assert_eq!(grade("d=7;c=d*d=7*7=9;a=c-d=9-7=2;"), [true, true, true]);
        assert_eq!(grade("d=7;c=d*d=7*7=8;a=c-d=9-7=2;"), [true, false, true]);
        assert_eq!(grade("c=d*d=7*7=9;a=c-d=9-7=2;"), [false, false, false]);
        assert_eq!(grade("d=7;c=d*d=7*7=9;a=c-d=9-7=2"), [true, true, false]);
        assert_eq!(grade("d=7;"), [true, false, false]);
        assert_eq!(grade(""), [false, false, false]);
    }

    #[test]
    fn what_follows_the_last_line_does_not_count() {
        let answer = program().answer() + "b=1;";
        assert_eq!(program().grade(&answer), [true, true, true]);
    }
}
