//! Storage types: how the rows of keys and values lie in memory.
//!
//! A type is a file here, a file in `shaders/rows` and a line in the list below. The file here
//! describes it as a [`RowStorage`]. The one in `shaders/rows` has the macros by which kernels read
//! and write rows. Sizes are per row, so that a row may hold scales too.

mod row_storage;
mod types;

use std::iter;

use burn::tensor::{DType, Device};
#[cfg(feature = "bench")]
pub(super) use h4::pack_by as pack_h4_by;
pub(super) use row_storage::RowStorage;
pub use types::CacheTypes;

use super::error::ConfigError;
use crate::kernels::{RowFormat, runs_wgsl};

/// Declares [`CacheType`] and the modules of its types: one line per type, the default first.
macro_rules! storage_types {
    ($($variant:ident = $name:literal in $module:ident: $sentence:literal;)+) => {
        $(mod $module;)+

        /// The type in which keys and values are stored. Arithmetic is in f32 with any of them.
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
        pub enum CacheType {
            #[default]
            $(#[doc = $sentence] #[serde(rename = $name)] $variant,)+
        }

        impl CacheType {
            /// All types, the default first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Names of all types, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The type's name in configurations.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The type in a sentence.
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$variant => $sentence,)+
                }
            }

            pub(super) const fn storage(self) -> &'static RowStorage {
                match self {
                    $(Self::$variant => &$module::STORAGE,)+
                }
            }
        }
    };
}

storage_types! {
    F16 = "f16" in f16: "16-bit floats.";
    F32 = "f32" in f32: "32-bit floats: twice the memory, and exact where keys and values are f32.";
    H8 = "h8" in h8: "8-bit integers of rotated rows, one scale per row: 53 % of f16's bytes.";
    H4 = "h4" in h4: "4-bit integers of rotated rows, one scale per row, the newest 16 in 8 bits: 28 % of f16's bytes.";
}

impl std::fmt::Display for CacheType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl CacheType {
    /// The type as kernels see it.
    pub const fn row_format(self) -> RowFormat {
        self.storage().format
    }

    /// Bytes per row of `head_dim` elements, on every device.
    pub fn row_bytes(self, head_dim: usize) -> usize {
        let RowStorage { format, float, .. } = self.storage();
        match (float, (format.words)(head_dim)) {
            (Some(float), _) => head_dim * float.size(),
            (None, words) => 4 * words.unwrap_or(0),
        }
    }

    /// `true` if rows are stored in a frame.
    pub(crate) const fn framed(self) -> bool {
        self.storage().framed
    }

    /// Newest positions whose rows are exact as well.
    pub(crate) const fn exact(self) -> usize {
        self.storage().exact
    }

    /// The type of a first prompt's rows until its end.
    pub(super) const fn of_prompt(self) -> Self {
        if self.framed() { Self::F16 } else { self }
    }

    /// The float type of tensors that hold such rows on `device`; `None` if rows are words there.
    ///
    /// WGSL leaves rounding to f16 to the adapter, so kernels round in its place wherever they run.
    pub(super) fn float_on(self, device: &Device) -> Option<DType> {
        let float = self.storage().float?;
        let exact = float == DType::F32 || !runs_wgsl(device);
        (exact && device.supports_dtype(float)).then_some(float)
    }

    /// Checks that `device` can hold rows of `head_dim` elements.
    pub(super) fn check(self, head_dim: usize, device: &Device) -> Result<(), ConfigError> {
        let storage = self.storage();
        if self.float_on(device).is_some() || (storage.format.words)(head_dim).is_some() {
            return Ok(());
        }
        let allowed = format!("{} for a cache of {self} on this device", storage.head_dim);
        Err(ConfigError::new("head_dim", head_dim, allowed))
    }
}

/// Appends a row whose elements are all read as NaN: `codes` words of codes, then its scale.
fn push_no_numbers(codes: usize, words: &mut Vec<u32>) {
    words.extend(iter::repeat_n(0, codes));
    words.push(f32::NAN.to_bits());
}

/// The largest magnitude of a row's elements. `None` if one is no finite number.
fn largest(row: &[f32]) -> Option<f32> {
    let mut magnitudes = row.iter().map(|element| element.abs());
    magnitudes.try_fold(0.0, |most: f32, own| own.is_finite().then(|| most.max(own)))
}

/// Rows for the tests of every type, and of each type's own.
#[cfg(test)]
mod tests {
    use super::*;

    /// Types whose rows have one scale.
    const SCALED: [CacheType; 2] = [CacheType::H8, CacheType::H4];

    pub fn rows() -> impl Iterator<Item = Vec<f32>> {
        [32, 64, 96, 128, 256].into_iter().flat_map(|dim| {
            let wave = |at: usize| (at as f32 * 1.7).sin() * (1.0 + at as f32 * 0.01);
            let outlier = |at: usize| if at == 5 { -1000.0 } else { wave(at) };
            [
                (0..dim).map(wave).collect(),
                (0..dim).map(outlier).collect(),
            ]
        })
    }

    pub fn words(storage: RowStorage, row: &[f32]) -> Vec<u32> {
        let mut words = Vec::new();
        (storage.pack)(row, &mut words);
        words
    }

    pub fn elements(storage: RowStorage, words: &[u32]) -> Vec<f32> {
        let fits = |dim: &usize| (storage.format.words)(*dim) == Some(words.len());
        let mut row = vec![0.0; (32..=256).find(fits).unwrap()];
        (storage.unpack)(words, &mut row);
        row
    }

    #[test]
    fn what_was_unpacked_packs_to_the_same_codes() {
        for storage in SCALED.map(|one| *one.storage()) {
            for row in rows() {
                let first = words(storage, &row);
                let again = words(storage, &elements(storage, &first));
                let last = first.len() - 1;
                assert_eq!(again[..last], first[..last]);
                assert!(again[last].abs_diff(first[last]) <= 1);
            }
        }
    }

    #[test]
    fn rows_that_are_not_finite_are_read_as_no_numbers() {
        for one in SCALED {
            let storage = *one.storage();
            for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut row = vec![1.0; 64];
                row[37] = wrong;
                let read = elements(storage, &words(storage, &row));
                assert!(read.iter().all(|it| it.is_nan()), "{one}, {wrong}");
            }
            let mut row = vec![1.0; 64];
            row[37] = 1e38;
            let read = elements(storage, &words(storage, &row));
            assert!(read.iter().all(|it| it.is_finite()), "{one}");
        }
    }

    #[test]
    fn zeros_stay_zeros() {
        for storage in SCALED.map(|one| *one.storage()) {
            let zeros = words(storage, &[0.0; 32]);
            assert_eq!(elements(storage, &zeros), [0.0; 32]);
        }
    }
}
