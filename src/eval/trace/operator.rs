//! Arithmetic of single digits.

use std::fmt;

/// Operator between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
}

impl Operator {
    /// All operators.
    pub const ALL: [Self; 3] = [Self::Add, Self::Subtract, Self::Multiply];

    /// Character of the operator.
    pub fn symbol(self) -> char {
        match self {
            Self::Add => '+',
            Self::Subtract => '-',
            Self::Multiply => '*',
        }
    }

    /// Result for two digits, modulo 10: `3 - 7` is 6.
    pub fn apply(self, left: u8, right: u8) -> u8 {
        let (left, right) = (u16::from(left % 10), u16::from(right % 10));
        let result = match self {
            Self::Add => left + right,
            Self::Subtract => left + 10 - right,
            Self::Multiply => left * right,
        };
        (result % 10) as u8
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.symbol())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stay_digits() {
        assert_eq!(Operator::Add.apply(7, 5), 2);
        assert_eq!(Operator::Subtract.apply(3, 7), 6);
        assert_eq!(Operator::Subtract.apply(7, 3), 4);
        assert_eq!(Operator::Multiply.apply(9, 8), 2);
        assert_eq!(Operator::Multiply.apply(0, 8), 0);
    }
}
