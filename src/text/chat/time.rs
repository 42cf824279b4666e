//! The day and time that templates see as now.

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

/// A time of a day, as a clock on the wall shows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Time {
    /// Day.
    pub date: Date,
    /// Hour, from 0.
    pub hour: u8,
    /// Minute, from 0.
    pub minute: u8,
    /// Second, from 0.
    pub second: u8,
    /// Millionths of a second.
    pub microsecond: u32,
    /// Seconds by which the clock is ahead of UTC.
    pub ahead_of_utc: i32,
}

impl From<Date> for Time {
    /// Midnight of a day, in UTC.
    fn from(date: Date) -> Self {
        Self {
            date,
            ..Self::default()
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

const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

impl Time {
    /// The time on the user's clock.
    #[cfg(not(target_family = "wasm"))]
    pub(in crate::text) fn now() -> Self {
        use chrono::{Datelike, Timelike};
        let now = chrono::Local::now();
        let date = Date {
            year: u16::try_from(now.year()).unwrap_or_default(),
            month: now.month() as u8,
            day: now.day() as u8,
        };
        Self {
            date,
            hour: now.hour() as u8,
            minute: now.minute() as u8,
            second: now.second() as u8,
            // A leap second counts beyond a million.
            microsecond: now.timestamp_subsec_micros() % 1_000_000,
            ahead_of_utc: now.offset().local_minus_utc(),
        }
    }

    /// The time on the user's clock.
    #[cfg(target_family = "wasm")]
    pub(in crate::text) fn now() -> Self {
        let now = js_sys::Date::new_0();
        let date = Date {
            year: now.get_full_year() as u16,
            month: now.get_month() as u8 + 1,
            day: now.get_date() as u8,
        };
        Self {
            date,
            hour: now.get_hours() as u8,
            minute: now.get_minutes() as u8,
            second: now.get_seconds() as u8,
            microsecond: now.get_milliseconds() * 1000,
            // JavaScript tells the minutes that it is behind.
            ahead_of_utc: -60 * now.get_timezone_offset() as i32,
        }
    }

    /// Formats the time by the directives of C's `strftime`, as Python's `datetime.now()` does.
    /// Such a time knows no time zone, so `%z` and `%Z` are empty. A directive that does not exist
    /// stays as it is.
    pub(super) fn format(self, format: &str) -> String {
        let mut text = String::with_capacity(format.len() + 8);
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            text.push_str(&rest[..at]);
            rest = &rest[at..];
            match Directive::read(rest) {
                Some((directive, length)) if directive.write(self, &mut text) => {
                    rest = &rest[length..];
                }
                _ => {
                    text.push('%');
                    rest = &rest[1..];
                }
            }
        }
        text.push_str(rest);
        text
    }

    /// Days since 1970-01-01, by H. Hinnant's `days_from_civil`: years that begin in March have
    /// their leap day last.
    fn days(self) -> i64 {
        let Date { year, month, day } = self.date;
        let (month, day) = (i64::from(month), i64::from(day));
        let year = i64::from(year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// Day of the week, from 0 for Sunday.
    fn weekday(self) -> i64 {
        // 1970 began on a Thursday.
        (self.days() + 4).rem_euclid(7)
    }

    /// Day of the year, from 0.
    fn day_of_year(self) -> i64 {
        let date = Date {
            month: 1,
            day: 1,
            ..self.date
        };
        self.days() - Self::from(date).days()
    }

    /// Week of the year, from 0: weeks begin `begins` days after Sunday.
    fn week(self, begins: i64) -> i64 {
        (self.day_of_year() + 7 - (self.weekday() - begins).rem_euclid(7)) / 7
    }

    /// Year and week of ISO 8601: the week that most of whose days are in the year.
    fn iso_week(self) -> (i64, i64) {
        let thursday = self.days() - (self.weekday() + 6) % 7 + 3;
        let mut year = i64::from(self.date.year);
        let first = |year: i64| {
            let before = year - 1;
            365 * before + before / 4 - before / 100 + before / 400 - 719_162
        };
        if thursday < first(year) {
            year -= 1;
        } else if thursday >= first(year + 1) {
            year += 1;
        }
        (year, (thursday - first(year)) / 7 + 1)
    }

    fn seconds_since_1970(self) -> i64 {
        let [hour, minute, second] = [self.hour, self.minute, self.second].map(i64::from);
        86_400 * self.days() + 3600 * hour + 60 * minute + second - i64::from(self.ahead_of_utc)
    }
}

/// A directive such as `%d`, with glibc's flags. `-` is for no padding, `_` and `0` for another,
/// `^` and `#` for another case.
struct Directive {
    letter: char,
    flag: Option<char>,
    upper: bool,
    turned: bool,
    /// Digits or characters to be filled up to.
    width: Option<usize>,
}

impl Directive {
    /// The directive at the beginning of `text`, and its bytes.
    fn read(text: &str) -> Option<(Self, usize)> {
        let mut directive = Self {
            letter: '%',
            flag: None,
            upper: false,
            turned: false,
            width: None,
        };
        let mut rest = text.strip_prefix('%')?;
        let next = |rest: &mut &str| {
            let letter = rest.chars().next()?;
            *rest = &rest[letter.len_utf8()..];
            Some(letter)
        };
        let mut letter = next(&mut rest)?;
        while matches!(letter, '-' | '_' | '0' | '^' | '#') {
            match letter {
                '^' => directive.upper = true,
                '#' => directive.turned = true,
                padding => directive.flag = Some(padding),
            }
            letter = next(&mut rest)?;
        }
        while let Some(digit) = letter.to_digit(10) {
            let width = 10 * directive.width.unwrap_or(0) + digit as usize;
            // Wider than any text that a directive writes.
            directive.width = Some(width.min(MOST_WIDTH));
            letter = next(&mut rest)?;
        }
        // Other calendars and digits, which no English text has.
        if matches!(letter, 'E' | 'O') {
            letter = next(&mut rest)?;
        }
        directive.letter = letter;
        Some((directive, text.len() - rest.len()))
    }

    /// Appends what the directive stands for; `false` if it does not exist.
    fn write(&self, time: Time, text: &mut String) -> bool {
        let Date { year, month, day } = time.date;
        let hour_of_twelve = (i64::from(time.hour) + 11) % 12 + 1;
        let is_morning = time.hour < 12;
        let month_name = MONTHS.get(usize::from(month).wrapping_sub(1));
        let month_name = month_name.copied().unwrap_or_default();
        let weekday = WEEKDAYS[time.weekday() as usize];
        let short = |name: &str| name.chars().take(3).collect::<String>();
        let number =
            |number: i64, width: usize, padding: char| (number.to_string(), width, padding);
        let plain = |text: String| (text, 0, ' ');
        let other = |format: &str| (time.format(format), 0, ' ');
        let (written, width, padding) = match self.letter {
            'Y' => number(year.into(), 0, '0'),
            'C' => number(i64::from(year) / 100, 2, '0'),
            'y' => number(i64::from(year) % 100, 2, '0'),
            'G' => number(time.iso_week().0, 0, '0'),
            'g' => number(time.iso_week().0 % 100, 2, '0'),
            'm' => number(month.into(), 2, '0'),
            'd' => number(day.into(), 2, '0'),
            'e' => number(day.into(), 2, ' '),
            'j' => number(time.day_of_year() + 1, 3, '0'),
            'U' => number(time.week(0), 2, '0'),
            'W' => number(time.week(1), 2, '0'),
            'V' => number(time.iso_week().1, 2, '0'),
            'u' => number((time.weekday() + 6) % 7 + 1, 1, '0'),
            'w' => number(time.weekday(), 1, '0'),
            'H' => number(time.hour.into(), 2, '0'),
            'I' => number(hour_of_twelve, 2, '0'),
            'k' => number(time.hour.into(), 2, ' '),
            'l' => number(hour_of_twelve, 2, ' '),
            'M' => number(time.minute.into(), 2, '0'),
            'S' => number(time.second.into(), 2, '0'),
            // Python's own.
            'f' => plain(format!("{:06}", time.microsecond)),
            's' => number(time.seconds_since_1970(), 1, '0'),
            'B' => plain(month_name.to_owned()),
            'b' | 'h' => plain(short(month_name)),
            'A' => plain(weekday.to_owned()),
            'a' => plain(short(weekday)),
            'p' if self.turned => plain(if is_morning { "am" } else { "pm" }.to_owned()),
            'p' => plain(if is_morning { "AM" } else { "PM" }.to_owned()),
            'P' => plain(if is_morning { "am" } else { "pm" }.to_owned()),
            'D' | 'x' => other("%m/%d/%y"),
            'F' => other("%Y-%m-%d"),
            'T' | 'X' => other("%H:%M:%S"),
            'R' => other("%H:%M"),
            'r' => other("%I:%M:%S %p"),
            'c' => other("%a %b %e %H:%M:%S %Y"),
            'z' | 'Z' => plain(String::new()),
            'n' => plain("\n".to_owned()),
            't' => plain("\t".to_owned()),
            '%' => plain("%".to_owned()),
            _ => return false,
        };
        let padding = match self.flag {
            Some('_' | '-') => ' ',
            Some('0') => '0',
            _ => padding,
        };
        let width = match (self.flag, self.width) {
            (_, Some(width)) => width,
            (Some('-'), None) => 0,
            _ => width,
        };
        let missing = width.saturating_sub(written.chars().count());
        text.extend(std::iter::repeat_n(padding, missing));
        if self.upper || self.turned && self.letter != 'p' {
            text.push_str(&written.to_uppercase());
        } else {
            text.push_str(&written);
        }
        true
    }
}

const MOST_WIDTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const MARCH: Time = Time {
        date: Date {
            year: 2026,
            month: 3,
            day: 9,
        },
        hour: 14,
        minute: 5,
        second: 7,
        microsecond: 1234,
        ahead_of_utc: 3600,
    };

    /// Against Python 3.13 on Linux: `datetime(2026, 3, 9, 14, 5, 7, 1234).strftime`.
    #[test]
    fn formats_are_those_of_python() {
        for (format, text) in [
            (
                "%d %b %Y, %B %-d, %y-%m-%e %-m",
                "09 Mar 2026, March 9, 26-03- 9 3",
            ),
            ("%H:%M:%S 100%%", "14:05:07 100%"),
            ("%a %A %w %u", "Mon Monday 1 1"),
            ("%I %p %-I %l %k %f", "02 PM 2  2 14 001234"),
            ("%j %-j %U %W %V %G %g", "068 68 10 10 11 2026 26"),
            ("%c|%x|%X", "Mon Mar  9 14:05:07 2026|03/09/26|14:05:07"),
            (
                "%D %F %T %R %r",
                "03/09/26 2026-03-09 14:05:07 14:05 02:05:07 PM",
            ),
            ("[%z%Z]%n%t%C %h", "[]\n\t20 Mar"),
            (
                "%^a %#p %P %_d %_m %-H %03d %5Y",
                "MON pm pm  9  3 14 009 02026",
            ),
            ("%Ey %Od %s", "26 09 1773061507"),
            (
                "%#a %^B %#Z%10a%-5d%_5d %-y",
                "MON MARCH        Mon    9    9 26",
            ),
            ("%Q % %- %", "%Q % %- %"),
        ] {
            assert_eq!(MARCH.format(format), text, "{format}");
        }
        assert_eq!(
            Time::default().format("%d %b %Y %T"),
            "26 Jul 2024 00:00:00"
        );
        let none = Time::from(Date {
            month: 0,
            ..MARCH.date
        });
        assert_eq!(none.format("%b%B"), "");
    }

    /// Days at the turn of a year, against Python's `strftime` and `isocalendar`.
    #[test]
    fn weeks_are_those_of_the_calendar() {
        for ((year, month, day), text) in [
            ((1970, 1, 1), "Thu 001 00 00 1970-W01"),
            ((2000, 2, 29), "Tue 060 09 09 2000-W09"),
            ((2020, 12, 31), "Thu 366 52 52 2020-W53"),
            ((2021, 1, 1), "Fri 001 00 00 2020-W53"),
            ((2021, 1, 3), "Sun 003 01 00 2020-W53"),
            ((2021, 1, 4), "Mon 004 01 01 2021-W01"),
            ((2024, 12, 30), "Mon 365 52 53 2025-W01"),
        ] {
            let time = Time::from(Date { year, month, day });
            assert_eq!(time.format("%a %j %U %W %G-W%V"), text);
        }
    }
}
