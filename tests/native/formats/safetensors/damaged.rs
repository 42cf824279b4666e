//! Right files that were cut or changed somewhere: an error or other contents, never a panic.
//! Whatever is read, the crate `safetensors` reads the same.

use kvscope::formats::safetensors::SafetensorsSlice;
use proptest::prelude::*;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use crate::support::reading::safetensors::{outcome, read};
use crate::support::safetensors_file::{Tensor, raw, written};

fn small() -> Vec<u8> {
    let tensors = [
        Tensor::new("q.weight", Dtype::BF16, &[2, 3], 9),
        Tensor::new("norm", Dtype::F32, &[2], 1),
        Tensor::new("k", Dtype::F16, &[4], 3),
    ];
    written(&tensors, &[("format", "pt")])
}

#[test]
fn every_cut_is_noticed() {
    let bytes = small();
    for length in 0..bytes.len() {
        let cut = &bytes[..length];
        for (piece, file_bytes) in [(1, None), (64, None), (64, Some(length as u64))] {
            let error = outcome(cut, piece, file_bytes).unwrap_err();
            assert_eq!(error.code(), "model-truncated", "{error}");
            assert_eq!(error.offset(), Some(length as u64));
        }
        assert!(SafetensorsSlice::new(cut).is_err());
    }
    outcome(&bytes, 64, Some(bytes.len() as u64)).unwrap();
}

/// The same whole and in pieces, of known length or not; and what is read is what the crate reads.
fn consistent(bytes: &[u8], piece: usize) {
    let whole = outcome(bytes, usize::MAX, None);
    assert_eq!(whole, outcome(bytes, piece, None));
    assert_eq!(
        whole.is_ok(),
        outcome(bytes, piece, Some(bytes.len() as u64)).is_ok()
    );
    let slice = SafetensorsSlice::new(bytes);
    assert_eq!(whole.is_ok(), slice.is_ok());
    let Ok(slice) = slice else {
        return;
    };
    let (_, streamed) = read(bytes, &[piece]).unwrap();
    let is_read = slice.header.tensors.iter().all(|it| it.format.is_ok());
    let theirs = match SafeTensors::deserialize(bytes) {
        Ok(theirs) => theirs,
        // It does not know what is passed over here.
        Err(_) if !is_read => return,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(theirs.len(), slice.header.tensors.len());
    for (tensor, streamed) in slice.header.tensors.iter().zip(&streamed) {
        let Ok(format) = &tensor.format else {
            continue;
        };
        let view = theirs.tensor(&tensor.name).unwrap();
        let shape: Vec<_> = view.shape().iter().map(|&d| d as u64).collect();
        assert_eq!(tensor.shape(), shape);
        assert_eq!(format.name(), view.dtype().to_string());
        assert_eq!(streamed, view.data());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn changed_bytes(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        piece in 1..40_usize,
    ) {
        let mut bytes = small();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        consistent(&bytes, piece);
    }

    /// Headers put together from members that are right, wrong, or right beside others only.
    #[test]
    fn shuffled_headers(
        members in prop::collection::vec((
            prop::sample::select(vec!["a", "b", "\\u0061", "__metadata__"]),
            prop::sample::select(vec![
                r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#,
                r#"{"shape":[1,2],"dtype":"F16","data_offsets":[4,8]}"#,
                r#"{"dtype":"BF16","shape":[2],"data_offsets":[0,4],"more":[{"dtype":1}]}"#,
                r#"["F16",[2,1],[4,8]]"#,
                r#"{"dtype":"F16","shape":[2],"data_offsets":[2,6]}"#,
                r#"{"k":"v"}"#,
                "{}",
                "null",
            ]),
        ), 0..4),
        separator in prop::sample::select(vec![",", ",", ", \n", ""]),
        data in 0..3_usize,
        piece in 1..40_usize,
    ) {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let text = format!("{{{}}}", members.join(separator));
        consistent(&raw(text, &vec![7; 4 * data]), piece);
    }
}
