//! Reading small items from the part of a header that has arrived.

use super::MAX_HEADER_BYTES;
use crate::formats::WeightsError;

/// Reason that an item could not be read.
#[derive(Debug)]
pub(super) enum Stop {
    /// Not all of it has arrived.
    More,
    /// It is wrong, however much still comes. Boxed because this is the rare case of a hot path.
    Wrong(Box<WeightsError>),
}

impl From<WeightsError> for Stop {
    fn from(error: WeightsError) -> Self {
        Self::Wrong(Box::new(error))
    }
}

/// A place in the bytes that have arrived.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    start: u64,
    at: usize,
    file_bytes: Option<u64>,
}

impl<'a> Cursor<'a> {
    /// A cursor at the first of `bytes`, which is byte `start` of a file of `file_bytes` (if that
    /// is known).
    pub(super) fn new(bytes: &'a [u8], start: u64, file_bytes: Option<u64>) -> Self {
        Self {
            bytes,
            start,
            at: 0,
            file_bytes,
        }
    }

    /// Bytes that have been read.
    pub(super) fn consumed(&self) -> usize {
        self.at
    }

    /// Place in the file.
    pub(super) fn offset(&self) -> u64 {
        self.start.saturating_add(self.at as u64)
    }

    pub(super) fn file_bytes(&self) -> Option<u64> {
        self.file_bytes
    }

    /// Reads an item; if that fails, the cursor is where it was.
    pub(super) fn attempt<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let before = self.at;
        let item = read(self);
        if item.is_err() {
            self.at = before;
        }
        item
    }

    /// Checks that a header can hold `count` more bytes here. So a false length is refused before
    /// it is waited for.
    pub(super) fn claim(&self, count: u64, what: &str) -> Result<(), Stop> {
        let end = self.offset().checked_add(count);
        if end.is_none_or(|end| end > MAX_HEADER_BYTES) {
            return Err(WeightsError::malformed(
                self.offset(),
                what,
                format!("{count} bytes long"),
                format!("a header that ends by byte {MAX_HEADER_BYTES}"),
            )
            .into());
        }
        match (self.file_bytes, end) {
            (Some(file_bytes), Some(end)) if end > file_bytes => Err(WeightsError::Truncated {
                offset: file_bytes,
                expected: format!("{what}, from byte {} to byte {end}", self.offset()),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: u64, what: &str) -> Result<&'a [u8], Stop> {
        self.claim(count, what)?;
        let count = usize::try_from(count).map_err(|_| Stop::More)?;
        let end = self.at.checked_add(count).ok_or(Stop::More)?;
        let taken = self.bytes.get(self.at..end).ok_or(Stop::More)?;
        self.at = end;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Stop> {
        let taken = self.take(N as u64, what)?;
        taken.try_into().map_err(|_| Stop::More)
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, Stop> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, Stop> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A count of at most `most`.
    pub(super) fn count(&mut self, what: &str, most: u64) -> Result<u64, Stop> {
        let offset = self.offset();
        let count = self.u64(what)?;
        if count > most {
            let expected = format!("at most {most}");
            return Err(WeightsError::malformed(offset, what, count, expected).into());
        }
        Ok(count)
    }

    /// A string: its length, then as many bytes of UTF-8. An error may leave the cursor between the
    /// two.
    pub(super) fn string(&mut self, what: &str, most: u64) -> Result<&'a str, Stop> {
        let offset = self.offset();
        let length = self.u64(what)?;
        if length > most {
            let found = format!("{length} bytes long");
            let expected = format!("at most {most} bytes");
            return Err(WeightsError::malformed(offset, what, found, expected).into());
        }
        let text = self.offset();
        std::str::from_utf8(self.take(length, what)?).map_err(|error| {
            let wrong = text.saturating_add(error.valid_up_to() as u64);
            WeightsError::malformed(wrong, what, "not UTF-8", "a string in UTF-8").into()
        })
    }
}
