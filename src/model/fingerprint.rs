//! Identity of a model's weights.

use std::fmt::{Display, Formatter};

use crc32fast::Hasher;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::config::LlamaConfig;
use crate::formats::TensorInfo;

/// Digest of a model's configuration and of its tensors' names and bytes, whatever the files that
/// they came in. It tells models apart that nobody made to look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// A fingerprint to be, as the bytes of tensors come.
#[derive(Debug, Default)]
pub(super) struct Fingerprinting {
    /// Sum over tensors, so that their order is none of it.
    sum: u64,
    incoming: Hasher,
}

impl Fingerprinting {
    /// Takes some bytes of a tensor: their offset in it, themselves, and whether they are the last.
    pub fn take(&mut self, tensor: &TensorInfo, (offset, bytes, last): (u64, &[u8], bool)) {
        if offset == 0 {
            self.incoming = Hasher::new();
        }
        self.incoming.update(bytes);
        if last {
            let content = std::mem::take(&mut self.incoming).finalize();
            let name = crc32fast::hash(tensor.name.as_bytes());
            let both = (u64::from(name) << 32) | u64::from(content);
            self.sum = self.sum.wrapping_add(mixed(both));
        }
    }

    /// The fingerprint of the tensors so far, under `config`.
    pub fn finish(self, config: &LlamaConfig) -> Fingerprint {
        let config = crc32fast::hash(format!("{config:?}").as_bytes());
        Fingerprint(self.sum ^ u64::from(config))
    }
}

/// `bits` with each spread over all others, by the finaliser of SplitMix64 (Steele et al., OOPSLA
/// 2014, figure 16). Two tensors with each other's contents then have another sum.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Display for Fingerprint {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        let number = u64::from_str_radix(&digits, 16);
        number.map(Self).map_err(D::Error::custom)
    }
}
