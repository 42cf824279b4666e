//! Valid files, cut or changed somewhere: an error or other contents, never a panic.

use kvscope::formats::gguf::GgufSlice;
use proptest::prelude::*;

use crate::support::gguf_file::{GgufFile, Raw, Value};
use crate::support::reading::gguf::outcome;

fn small() -> GgufFile {
    GgufFile::new()
        .with("general.architecture", Value::text("llama"))
        .with("general.alignment", Value::U32(32))
        .with("tokens", Value::texts(&["a", "bc", "déf"]))
        .with("types", Value::Array(5, vec![Value::I32(1), Value::I32(2)]))
        .with("flags", Value::Array(7, vec![Value::Bool(true)]))
        .with_tensor("q.weight", &[32, 3], 3, vec![5; 60])
        .with_floats("norm.weight", &[1.0, 2.0])
}

/// Cut anywhere before its last tensor's end.
#[test]
fn every_cut_is_noticed() {
    let bytes = small().bytes();
    let needed = GgufSlice::new(&bytes).unwrap().header.file_bytes() as usize;
    assert!(needed < bytes.len(), "the last tensor is padded");
    for length in 0..=bytes.len() {
        let cut = &bytes[..length];
        for (piece, file_bytes) in [(1, None), (64, None), (64, Some(length as u64))] {
            match outcome(cut, piece, file_bytes) {
                Ok(()) => assert!(length >= needed, "cut to {length} of {needed}"),
                Err(error) => {
                    assert!(length < needed, "{error}");
                    assert_eq!(error.code(), "model-truncated");
                    assert_eq!(error.offset(), Some(length as u64));
                }
            }
        }
        assert_eq!(GgufSlice::new(cut).is_ok(), length >= needed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Whatever is read, it is the same whole and in pieces, and it is the same error.
    #[test]
    fn changed_bytes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        piece in 1..40_usize,
    ) {
        let mut bytes = small().bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let whole = outcome(&bytes, usize::MAX, None);
        prop_assert_eq!(&whole, &outcome(&bytes, piece, None));
        if GgufSlice::new(&bytes).is_ok() {
            prop_assert_eq!(whole, Ok(()));
        }
    }

    /// Any 4 or 8 bytes replaced by a number that sizes and counts are likely to go wrong with.
    #[test]
    fn hostile_numbers_never_panic(
        at in any::<prop::sample::Index>(),
        number in prop_oneof![
            Just(u64::MAX), Just(u64::MAX - 7), Just(i64::MAX as u64),
            Just(1 << 63), Just(1 << 61), Just(1 << 32),
            Just(u64::from(u32::MAX)), Just(0), any::<u64>(), 0..300_u64,
        ],
        wide in any::<bool>(),
        piece in 1..40_usize,
    ) {
        let mut bytes = small().bytes();
        let number = &number.to_le_bytes()[..if wide { 8 } else { 4 }];
        let at = at.index(bytes.len() - number.len());
        bytes[at..at + number.len()].copy_from_slice(number);
        prop_assert_eq!(outcome(&bytes, usize::MAX, None), outcome(&bytes, piece, None));
        let _ = GgufSlice::new(&bytes);
    }

    #[test]
    fn noise_after_a_preamble_never_panics(
        tensors in 0..4_u64,
        pairs in 0..4_u64,
        noise in prop::collection::vec(
            prop_oneof![3 => Just(0), 2 => 0..16_u8, 1 => any::<u8>()],
            0..300,
        ),
    ) {
        let bytes = Raw::preamble(3, tensors, pairs).bytes(&noise).0;
        prop_assert_eq!(outcome(&bytes, usize::MAX, None), outcome(&bytes, 3, None));
    }
}
