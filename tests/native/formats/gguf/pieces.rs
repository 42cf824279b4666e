//! A file reads as written, for all cuts into pieces.

use proptest::prelude::*;

use crate::support::gguf_file::{GgufFile, Value};
use crate::support::reading::gguf::read;

/// Any few values and tensors.
fn any_file() -> impl Strategy<Value = GgufFile> {
    let value = prop_oneof![
        any::<u32>().prop_map(Value::U32),
        any::<i64>().prop_map(Value::I64),
        any::<bool>().prop_map(Value::Bool),
        ".{0,12}".prop_map(Value::Text),
        prop::collection::vec(".{0,5}", 0..30)
            .prop_map(|texts| Value::Array(8, texts.into_iter().map(Value::Text).collect())),
        prop::collection::vec(any::<u16>(), 0..30)
            .prop_map(|numbers| Value::Array(2, numbers.into_iter().map(Value::U16).collect())),
    ];
    let values = prop::collection::vec(value, 0..8);
    let tensors = prop::collection::vec((1..4_u64, 1..3_u64, any::<bool>(), any::<u8>()), 0..5);
    (values, tensors, 0..8_u32).prop_map(|(values, tensors, alignment)| {
        let mut file = GgufFile::new();
        file.alignment = 1 << alignment;
        for (i, value) in values.into_iter().enumerate() {
            file = file.with(&format!("key.{i}"), value);
        }
        for (i, (rows, row, quantised, byte)) in tensors.into_iter().enumerate() {
            let (row, bytes, id) = match quantised {
                true => (32 * row, rows * row * 20, 3),
                false => (row, rows * row * 2, 30),
            };
            let bytes = (0..bytes).map(|i| byte.wrapping_add(i as u8)).collect();
            file = file.with_tensor(&format!("t.{i}"), &[row, rows], id, bytes);
        }
        file
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_of_any_size_give_what_was_written(
        file in any_file(),
        pieces in prop::collection::vec(1..200_usize, 1..20),
    ) {
        let bytes = file.bytes();
        let whole = read(&bytes, &[]).unwrap();
        let written: Vec<_> = file.tensors.iter().map(|tensor| tensor.bytes.clone()).collect();
        prop_assert_eq!(&whole.1, &written);
        prop_assert_eq!(&read(&bytes, &pieces).unwrap(), &whole);
        prop_assert_eq!(&read(&bytes, &[1]).unwrap(), &whole);
    }
}
