//! Safetensors files and indices. For any bytes: no panic, no memory out of proportion, one result
//! for all cuts into pieces. Accepted files read as with the crate `safetensors`.

#![no_main]

mod common;
#[allow(dead_code, reason = "the tests of the crate use all of it")]
#[path = "../../tests/support/safetensors_file/mod.rs"]
mod safetensors_file;

use common::{Input, frugal, write_seeds};
use kvscope::formats::WeightsError;
use kvscope::formats::safetensors::{
    SafetensorsEvent, SafetensorsFiles, SafetensorsHeader, SafetensorsIndex, SafetensorsReader,
    SafetensorsSlice,
};
use libfuzzer_sys::fuzz_target;
use safetensors::tensor::Dtype;
use safetensors::{SafeTensorError, SafeTensors};
use safetensors_file::{Tensor, entry, header, raw, written};
use std::borrow::Cow;
use std::sync::Arc;

fuzz_target!(init: write_seeds(seeds()), |data: &[u8]| {
    if let Some(input) = Input::new(data) {
        check_index(input.file);
        let whole = with_length(input.file);
        check(&Input {
            file: &whole,
            ..input
        });
    }
});

/// Adds the header's length if the bytes begin with the JSON instead. The fuzzer would seldom
/// change text and length together.
fn with_length(bytes: &[u8]) -> Cow<'_, [u8]> {
    let end = bytes.iter().rposition(|&byte| byte == b'}');
    match (bytes.first(), end) {
        (Some(b'{'), Some(end)) => {
            let length = (end as u64 + 1).to_le_bytes();
            Cow::Owned([&length, bytes].concat())
        }
        _ => Cow::Borrowed(bytes),
    }
}

/// Result of reading a file: its header, and the bytes of its tensors.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    header: Option<Arc<SafetensorsHeader>>,
    tensor_bytes: u64,
}

fn check(input: &Input<'_>) {
    let file = input.file;
    let length = Some(file.len() as u64);
    let (whole, result) = read(file, [file], None);
    let (pieces, same) = read(file, input.split(), None);
    assert_eq!(result, same, "whole and in pieces");
    assert_eq!(whole, pieces);
    let known = read(file, input.split(), length).1;
    assert_eq!(known.is_ok(), result.is_ok(), "{known:?}, {result:?}");
    frugal(file.len(), || drop(read(file, input.split(), None)));
    let slice = SafetensorsSlice::new(file);
    assert_eq!(slice.is_ok(), result.is_ok());
    if let Some(header) = &whole.header {
        check_header(header);
    }
    if let Ok(slice) = slice {
        let bytes: u64 = slice.header.tensors.iter().map(|tensor| tensor.bytes).sum();
        assert_eq!(whole.tensor_bytes, bytes);
        compare(file, &slice);
    }
}

/// Reads `file` in these pieces to its end or an error. Checks each event against the header and
/// the file.
fn read<'a>(
    file: &[u8],
    pieces: impl IntoIterator<Item = &'a [u8]>,
    file_bytes: Option<u64>,
) -> (Seen, Result<(), WeightsError>) {
    let mut reader = SafetensorsReader::new(file_bytes);
    let mut seen = Seen::default();
    let mut place = 0;
    for mut input in pieces {
        loop {
            match reader.push(&mut input) {
                Ok(None) => break,
                Ok(Some(SafetensorsEvent::Header(header))) => {
                    assert!(seen.header.is_none(), "one header");
                    place = header.data_start;
                    seen.header = Some(header);
                }
                Ok(Some(SafetensorsEvent::Tensor {
                    index,
                    offset,
                    bytes,
                    last,
                })) => {
                    let header = seen.header.as_ref().expect("the header comes first");
                    let tensor = header.tensors.get(index).unwrap();
                    let start = tensor.offset + offset;
                    assert!(start == place && !bytes.is_empty());
                    place = start + bytes.len() as u64;
                    assert_eq!(reader.position(), place);
                    assert_eq!(last, place == tensor.end());
                    assert_eq!(bytes, &file[start as usize..place as usize]);
                    seen.tensor_bytes += bytes.len() as u64;
                }
                Err(error) => {
                    assert_eq!(reader.finish(), Err(error.clone()));
                    return (seen, Err(error));
                }
            }
        }
        assert!(input.is_empty());
    }
    assert_eq!(reader.position(), file.len() as u64);
    let result = reader.finish();
    assert_eq!(result.is_ok(), reader.is_complete());
    (seen, result)
}

fn check_header(header: &Arc<SafetensorsHeader>) {
    let mut places = vec![(0, header.data_start)];
    for tensor in header.tensors.iter() {
        if let Ok(format) = &tensor.format {
            assert!((1..=4).contains(&tensor.dimensions.len()));
            assert_eq!(format.bytes_of(&tensor.dimensions), Ok(tensor.bytes));
        }
        assert_eq!(header.tensors.find(&tensor.name), Some(tensor));
        assert!(tensor.entry_offset() < header.data_start);
        if tensor.bytes > 0 {
            places.push((tensor.offset, tensor.end()));
        }
    }
    places.sort_unstable();
    assert!(places.is_sorted_by(|before, after| before.1 == after.0));
    assert_eq!(
        Some(header.file_bytes()),
        places.last().map(|place| place.1)
    );
    let mut files = SafetensorsFiles::new(2);
    files.add(header.clone()).unwrap();
    assert!(files.add(header.clone()).is_err() || header.tensors.is_empty());
}

/// Checks that the crate reads accepted files, and reads the same. Of tensors that kvscope passes
/// over it knows some and no others. kvscope skips members that the format does not name, their
/// strings and numbers unchecked. The crate checks them.
fn compare(file: &[u8], slice: &SafetensorsSlice<'_>) {
    let theirs = match SafeTensors::deserialize(file) {
        Ok(theirs) => theirs,
        // Of a type that kvscope passes over.
        Err(_) if slice.header.tensors.iter().any(|it| it.format.is_err()) => return,
        Err(SafeTensorError::InvalidHeaderDeserialization(_)) => {
            let text = &file[8..slice.header.data_start as usize];
            let json = serde_json::from_slice::<serde_json::Value>(text);
            assert!(json.is_err(), "the crate reads a header that is JSON");
            return;
        }
        Err(error) => panic!("the crate reads what is accepted: {error}"),
    };
    assert_eq!(theirs.len(), slice.header.tensors.len());
    for tensor in slice.header.tensors.iter() {
        let Ok(format) = tensor.format else {
            continue;
        };
        let (_, bytes) = slice.tensor(&tensor.name).unwrap();
        let view = theirs.tensor(&tensor.name).unwrap();
        let shape: Vec<_> = view
            .shape()
            .iter()
            .map(|&dimension| dimension as u64)
            .collect();
        assert_eq!(tensor.shape(), shape);
        assert_eq!(format.name(), view.dtype().to_string());
        assert_eq!(bytes, view.data());
        let elements = format.dequantise(bytes).unwrap();
        assert_eq!(elements.len() as u64, tensor.elements());
    }
}

fn check_index(json: &[u8]) {
    frugal(json.len(), || drop(SafetensorsIndex::parse(json)));
    if let Ok(index) = SafetensorsIndex::parse(json) {
        assert!(index.files().is_sorted_by(|before, after| before < after));
        assert!(index.files().len() <= index.tensors());
        assert!(
            index
                .files()
                .iter()
                .all(|file| !file.contains(['/', '\\', ':']))
        );
    }
}

/// Files with everything that a header can have, and an index.
fn seeds() -> Vec<Vec<u8>> {
    let tensors = [
        Tensor::new("a.weight", Dtype::F32, &[2, 3], 0),
        Tensor::new("b", Dtype::F16, &[4], 1),
        Tensor::new("c", Dtype::BF16, &[1, 2, 1, 2], 2),
    ];
    let shuffled = [
        entry("b", "F16", &[1], 4, 6),
        entry("\\u0061", "F32", &[1], 0, 4),
    ];
    let files = [
        written(&tensors, &[("format", "pt")]),
        written(&tensors[..1], &[]),
        written(&tensors[1..], &[]),
        written(&[], &[("é", "\n")]),
        raw(header(&shuffled) + "  ", &[1; 6]),
        raw("{}", &[]),
    ];
    let texts = files.iter().map(|file| file[8..].to_vec());
    let index = br#"{"metadata":{"total_size":8},"weight_map":{"a":"m-00001-of-00002.safetensors","b":"m-00002-of-00002.safetensors"}}"#.to_vec();
    texts.chain([index]).chain(files.clone()).collect()
}
