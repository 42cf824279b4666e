//! The frame of what is saved: magic, version and header before the content, a checksum behind it.
//!
//! | bytes | content |
//! | --- | --- |
//! | 8 | magic |
//! | 4 | version of the format |
//! | 4 | length of the header |
//! | header | JSON |
//! | rest | content |
//! | 4 | CRC-32 of everything before |
//!
//! Numbers are little-endian.

use std::collections::TryReserveError;
use std::num::TryFromIntError;
use std::ops::RangeInclusive;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Magic, version and the header's length.
const PREAMBLE: usize = 16;
const CHECKSUM: usize = 4;

/// A kind of save.
pub(crate) struct Envelope {
    pub magic: &'static [u8; 8],
    /// Versions that are read; the last is written.
    pub versions: RangeInclusive<u32>,
}

/// Reason that bytes are not opened.
pub(crate) enum Unopened {
    /// They are not whole, or not of this kind.
    Corrupt(String),
    /// They are of another version.
    Version(u32),
}

/// Reason that a save is not begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwritten {
    #[error(transparent)]
    Header(#[from] serde_json::Error),
    #[error(transparent)]
    Length(#[from] TryFromIntError),
    #[error(transparent)]
    Memory(#[from] TryReserveError),
}

impl Envelope {
    /// Appends all before the content to `bytes`, and takes memory for `content` bytes more.
    pub fn begin(
        &self,
        bytes: &mut Vec<u8>,
        header: &impl Serialize,
        content: u64,
    ) -> Result<(), Unwritten> {
        let header = serde_json::to_vec(header)?;
        let length = u32::try_from(header.len())?;
        let content = usize::try_from(content)?;
        bytes.try_reserve_exact(PREAMBLE + header.len() + content + CHECKSUM)?;
        bytes.extend_from_slice(self.magic);
        bytes.extend_from_slice(&self.versions.end().to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&header);
        Ok(())
    }

    /// Appends the checksum of all from `begin` on.
    pub fn end(&self, bytes: &mut Vec<u8>, begin: usize) {
        let checksum = crc32fast::hash(&bytes[begin..]);
        bytes.extend_from_slice(&checksum.to_le_bytes());
    }

    /// Version, header and content, if the bytes are whole and of this kind.
    pub fn open<'a, H: DeserializeOwned>(
        &self,
        bytes: &'a [u8],
    ) -> Result<(u32, H, &'a [u8]), Unopened> {
        let corrupt = |reason: &str| Unopened::Corrupt(reason.to_owned());
        let short = || corrupt("it is too short");
        let (preamble, rest) = bytes.split_at_checked(PREAMBLE).ok_or_else(short)?;
        let (magic, numbers) = preamble.split_at(self.magic.len());
        if magic != self.magic {
            return Err(corrupt("it does not begin as one"));
        }
        let (version, length) = numbers.split_at(4);
        let version = number(version);
        if !self.versions.contains(&version) {
            return Err(Unopened::Version(version));
        }
        let middle = rest.len().checked_sub(CHECKSUM).ok_or_else(short)?;
        let (rest, checksum) = rest.split_at(middle);
        if crc32fast::hash(&bytes[..bytes.len() - CHECKSUM]) != number(checksum) {
            return Err(corrupt("its checksum is wrong"));
        }
        let (header, content) = rest
            .split_at_checked(number(length) as usize)
            .ok_or_else(|| corrupt("its header is cut off"))?;
        let header = serde_json::from_slice(header)
            .map_err(|error| Unopened::Corrupt(format!("its header can't be read: {error}")))?;
        Ok((version, header, content))
    }
}

/// A little-endian number of four bytes, or 0 of any others.
pub(crate) fn number(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}
