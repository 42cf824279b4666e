//! Stop strings over text that comes in pieces.

use super::GenerateError;

/// Limits on the stop strings' number and bytes: every piece of text is searched for all of them.
const MOST_STRINGS: usize = 64;
const MOST_BYTES: usize = 1024;

/// Lets text through up to a stop string, and holds back text that may begin one.
///
/// The first stop string to be complete ends the text, which is cut at its beginning. Of several
/// complete at the same character, the longest counts. The result does not depend on the pieces.
#[derive(Debug, Clone, Default)]
pub struct StopStrings {
    strings: Vec<String>,
    /// End of the text so far that begins a stop string.
    held: String,
    stopped: bool,
}

impl StopStrings {
    /// Checks `strings`. With none, everything passes at once.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Config`] for an empty or too long string, or for too many strings.
    pub fn new(strings: Vec<String>) -> Result<Self, GenerateError> {
        validate(&strings)?;
        Ok(Self {
            strings,
            ..Self::default()
        })
    }

    /// Takes the next piece of text and returns what can be let through now; nothing after a stop
    /// string.
    pub fn push(&mut self, piece: &str) -> String {
        if self.stopped {
            return String::new();
        }
        let seen = self.held.len();
        self.held.push_str(piece);
        let ends = self
            .held
            .char_indices()
            .map(|(start, char)| start + char.len_utf8());
        for end in ends.skip_while(|end| *end <= seen) {
            if let Some(start) = self.begins(end) {
                self.stopped = true;
                self.held.truncate(start);
                return std::mem::take(&mut self.held);
            }
        }
        let rest = self.held.split_off(self.safe());
        std::mem::replace(&mut self.held, rest)
    }

    /// Returns whether a stop string has ended the text.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// Text held back at the moment.
    pub fn held(&self) -> &str {
        &self.held
    }

    /// Ends the text and returns the rest: it began no stop string after all.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Beginning of the longest stop string that ends at `end`.
    fn begins(&self, end: usize) -> Option<usize> {
        let text = &self.held[..end];
        let complete = self.strings.iter().filter(|stop| text.ends_with(*stop));
        complete.map(|stop| end - stop.len()).min()
    }

    /// Bytes of the held text that can't be part of a stop string any more.
    fn safe(&self) -> usize {
        let longest = self.strings.iter().map(String::len).max().unwrap_or(0);
        let first = (self.held.len() + 1).saturating_sub(longest);
        let starts = self.held.char_indices().map(|(start, _)| start);
        starts
            .skip_while(|start| *start < first)
            .find(|start| {
                let end = &self.held[*start..];
                self.strings.iter().any(|stop| stop.starts_with(end))
            })
            .unwrap_or(self.held.len())
    }
}

pub(super) fn validate(strings: &[String]) -> Result<(), GenerateError> {
    const FIELD: &str = "stop";
    if strings.len() > MOST_STRINGS {
        return Err(GenerateError::config(
            FIELD,
            format!("{} strings", strings.len()),
            format!("at most {MOST_STRINGS} strings"),
        ));
    }
    match strings
        .iter()
        .find(|stop| !(1..=MOST_BYTES).contains(&stop.len()))
    {
        Some(stop) => Err(GenerateError::config(
            FIELD,
            format!("a string of {} bytes", stop.len()),
            format!("strings of 1 to {MOST_BYTES} bytes"),
        )),
        None => Ok(()),
    }
}
