//! GGUF files. For any bytes: no panic, no memory out of proportion, and one result for all cuts
//! into pieces.

#![no_main]

mod common;
#[allow(
    dead_code,
    unused_imports,
    reason = "the tests of the crate use all of it"
)]
#[path = "../../tests/support/gguf_file/mod.rs"]
mod gguf_file;

use common::{Input, frugal, write_seeds};
use gguf_file::{GgufFile, Value};
use kvscope::formats::gguf::{GgufEvent, GgufHeader, GgufReader, GgufSlice, Metadata, SplitFiles};
use kvscope::formats::planes::{PlanePiece, PlaneSplitter, plane_words};
use kvscope::formats::{BlockFormat, TensorInfo, WeightsError};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(init: write_seeds(seeds()), |data: &[u8]| {
    if let Some(input) = Input::new(data) {
        check(&input);
    }
});

/// Result of reading a file: its header, and the bytes of its tensors.
#[derive(Debug, Default)]
struct Seen {
    header: Option<Arc<GgufHeader>>,
    tensor_bytes: u64,
}

fn check(input: &Input<'_>) {
    let file = input.file;
    let length = Some(file.len() as u64);
    let (whole, result) = read(file, [file], None);
    let (pieces, same) = read(file, input.split(), None);
    assert_eq!(result, same, "whole and in pieces");
    // Compared as text: a file's floats may be NaN.
    assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
    let known = read(file, input.split(), length).1;
    assert_eq!(known.is_ok(), result.is_ok(), "{known:?}, {result:?}");
    frugal(file.len(), || drop(read(file, input.split(), None)));
    let slice = GgufSlice::new(file);
    assert_eq!(slice.is_ok(), result.is_ok());
    if let Some(header) = whole.header {
        check_header(&header);
        if result.is_ok() {
            let bytes: u64 = header.tensors.iter().map(|tensor| tensor.bytes).sum();
            assert_eq!(whole.tensor_bytes, bytes);
        }
    }
    for tensor in slice.iter().flat_map(|slice| slice.header.tensors.iter()) {
        let (_, bytes) = slice.as_ref().unwrap().tensor(&tensor.name).unwrap();
        let format = read_format(tensor);
        let elements = format.dequantise(bytes).unwrap();
        assert_eq!(elements.len() as u64, tensor.elements());
        let planes = planes(format, [bytes]);
        let lengths = planes.each_ref().map(Vec::len);
        assert_eq!(lengths, plane_words(format, elements.len()));
        let parts = Input {
            pieces: input.pieces,
            file: bytes,
        };
        assert_eq!(planes, self::planes(format, parts.split()));
    }
}

/// The type of a tensor: a GGUF file with others is refused.
fn read_format(tensor: &TensorInfo) -> BlockFormat {
    *tensor.format.as_ref().unwrap()
}

/// The planes for the GPU of a tensor whose bytes come in `pieces`.
fn planes<'a>(format: BlockFormat, pieces: impl IntoIterator<Item = &'a [u8]>) -> [Vec<u32>; 2] {
    let mut splitter = PlaneSplitter::new(format);
    let [mut quants, mut scales] = [Vec::new(), Vec::new()];
    let mut add = |piece: PlanePiece| {
        assert_eq!(
            (piece.first_quant, piece.first_scale),
            (quants.len(), scales.len())
        );
        quants.extend(piece.quants);
        scales.extend(piece.scales);
    };
    for piece in pieces {
        add(splitter.push(piece));
    }
    add(splitter.finish());
    [quants, scales]
}

/// Reads `file` in these pieces to its end or an error. Checks each event against the header and
/// the file.
fn read<'a>(
    file: &[u8],
    pieces: impl IntoIterator<Item = &'a [u8]>,
    file_bytes: Option<u64>,
) -> (Seen, Result<(), WeightsError>) {
    let mut reader = GgufReader::new(file_bytes);
    let mut seen = Seen::default();
    let mut place = 0;
    for mut input in pieces {
        loop {
            match reader.push(&mut input) {
                Ok(None) => break,
                Ok(Some(GgufEvent::Header(header))) => {
                    assert!(seen.header.is_none(), "one header");
                    place = header.data_start;
                    seen.header = Some(header);
                }
                Ok(Some(GgufEvent::Tensor {
                    index,
                    offset,
                    bytes,
                    last,
                })) => {
                    let header = seen.header.as_ref().expect("the header comes first");
                    let tensor = header.tensors.get(index).unwrap();
                    let start = tensor.offset + offset;
                    assert!(start >= place && !bytes.is_empty());
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

fn check_header(header: &Arc<GgufHeader>) {
    let mut places = Vec::new();
    for tensor in header.tensors.iter() {
        assert!((1..=4).contains(&tensor.dimensions.len()));
        let bytes = read_format(tensor).bytes_of(&tensor.dimensions);
        assert_eq!(bytes, Ok(tensor.bytes));
        assert_eq!(header.tensors.find(&tensor.name), Some(tensor));
        assert!(tensor.bytes > 0 && tensor.offset >= header.data_start);
        places.push((tensor.offset, tensor.end()));
    }
    places.sort_unstable();
    assert!(places.is_sorted_by(|before, after| before.1 <= after.0));
    let end = places.last().map_or(header.data_start, |place| place.1);
    assert_eq!(header.file_bytes(), end);
    let metadata: &Metadata = &header.metadata;
    for (key, _) in metadata.iter() {
        let readable = [
            metadata.unsigned(key).is_ok(),
            metadata.float(key).is_ok(),
            metadata.boolean(key).is_ok(),
            metadata.text(key).is_ok(),
            metadata.array(key).is_ok(),
        ];
        assert!(readable.iter().filter(|readable| **readable).count() <= 1);
        assert!(metadata.offset(key) < header.data_start);
    }
    let mut files = SplitFiles::new();
    if files.add(header.clone()).is_ok() {
        assert!(files.add(header.clone()).is_err() || header.tensors.is_empty());
        let _ = files.finish();
    }
}

/// A small file of each format, and files with everything that a header can have.
fn seeds() -> Vec<Vec<u8>> {
    let of_format = |format: BlockFormat| {
        let row = format.block_elements() as u64;
        let bytes = (0..3 * format.block_bytes()).map(|i| i as u8).collect();
        GgufFile::new()
            .with("general.architecture", Value::text("llama"))
            .with_tensor("a.weight", &[row, 3], format.ggml_id(), bytes)
            .with_floats("norm", &[1.0, 2.0])
    };
    let values = GgufFile::new()
        .with("u8", Value::U8(1))
        .with("i8", Value::I8(-1))
        .with("u16", Value::U16(2))
        .with("i16", Value::I16(-2))
        .with("u32", Value::U32(3))
        .with("i32", Value::I32(-3))
        .with("f32", Value::F32(0.5))
        .with("bool", Value::Bool(true))
        .with("text", Value::text("é"))
        .with("u64", Value::U64(4))
        .with("i64", Value::I64(-4))
        .with("f64", Value::F64(0.25));
    let arrays = (0..13).filter(|&element| element != 9).fold(
        GgufFile::new().with("tokens", Value::texts(&["<s>", "", "the"])),
        |file, element| file.with(&format!("a{element}"), Value::Array(element, Vec::new())),
    );
    let arrays = arrays
        .with("scores", Value::Array(6, vec![Value::F32(-1.0); 3]))
        .with("types", Value::Array(5, vec![Value::I32(1); 3]))
        .with("flags", Value::Array(7, vec![Value::Bool(false); 2]));
    let split = of_format(BlockFormat::F16)
        .with("split.no", Value::U16(0))
        .with("split.count", Value::U16(2))
        .with("split.tensors.count", Value::I32(4));
    let aligned = GgufFile {
        alignment: 8,
        version: 2,
        ..of_format(BlockFormat::Q8_0)
    };
    let more = [values, arrays, split, aligned, GgufFile::new()];
    let files = BlockFormat::ALL.into_iter().map(of_format).chain(more);
    files.map(|file| file.bytes()).collect()
}
