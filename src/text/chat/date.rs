//! The date that templates see as today.

use minijinja::{Error, ErrorKind};

/// A day. [`Date::default`] is the fallback of Llama 3's own template: with it, a conversation
/// gives the same tokens on any day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// Year, such as 2024.
    pub year: u16,
    /// Month, from 1.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
}

impl Default for Date {
    fn default() -> Self {
        Self {
            year: 2024,
            month: 7,
            day: 26,
        }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Date {
    /// Formats the date as C's `strftime`: `%Y %y %m %B %b %d %e %-d %-m`, and `%H %M %S` at
    /// midnight.
    pub(super) fn format(self, format: &str) -> Result<String, Error> {
        let month = MONTHS.get(usize::from(self.month).wrapping_sub(1));
        let month = month.copied().unwrap_or_default();
        let mut text = String::with_capacity(format.len() + 8);
        let mut characters = format.chars();
        while let Some(character) = characters.next() {
            if character != '%' {
                text.push(character);
                continue;
            }
            text += &match characters.next() {
                Some('Y') => format!("{:04}", self.year),
                Some('y') => format!("{:02}", self.year % 100),
                Some('m') => format!("{:02}", self.month),
                Some('B') => month.to_owned(),
                Some('b' | 'h') => month.chars().take(3).collect(),
                Some('d') => format!("{:02}", self.day),
                Some('e') => format!("{:2}", self.day),
                Some('H' | 'M' | 'S') => "00".to_owned(),
                Some('%') => "%".to_owned(),
                Some('-') => match characters.next() {
                    Some('d') => self.day.to_string(),
                    Some('m') => self.month.to_string(),
                    other => return Err(unknown(&format!("-{}", other.unwrap_or_default()))),
                },
                other => return Err(unknown(&other.map(String::from).unwrap_or_default())),
            };
        }
        Ok(text)
    }
}

fn unknown(directive: &str) -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        format!("strftime_now does not know %{directive}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_strftime() {
        let date = Date {
            year: 2026,
            month: 3,
            day: 9,
        };
        let text = date.format("%d %b %Y, %B %-d, %y-%m-%e %-m %H:%M:%S 100%%");
        assert_eq!(
            text.unwrap(),
            "09 Mar 2026, March 9, 26-03- 9 3 00:00:00 100%"
        );
        assert_eq!(Date::default().format("%d %b %Y").unwrap(), "26 Jul 2024");
        for unknown in ["%Q", "%", "%-", "%-Y"] {
            assert!(date.format(unknown).is_err(), "{unknown}");
        }
        let none = Date { month: 0, ..date };
        assert_eq!(none.format("%b%B").unwrap(), "");
    }
}
