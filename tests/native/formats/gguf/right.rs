//! Valid GGUF files: read as written, for all cuts into pieces.

use kvscope::formats::gguf::{
    GgufEvent, GgufSlice, Metadata, MetadataArray, MetadataValue, read_gguf,
};
use kvscope::formats::{BlockFormat, WeightsError};

use crate::support::gguf_file::{GgufFile, Raw, Value};
use crate::support::reading::gguf::read;

/// A file with every type of value and tensors of several types.
fn sample() -> GgufFile {
    GgufFile::new()
        .with("general.architecture", Value::text("llama"))
        .with("a.u8", Value::U8(200))
        .with("a.i8", Value::I8(-3))
        .with("a.u16", Value::U16(60_000))
        .with("a.i16", Value::I16(-30_000))
        .with("a.u32", Value::U32(4_000_000_000))
        .with("a.i32", Value::I32(7))
        .with("a.f32", Value::F32(1e-5))
        .with("a.bool", Value::Bool(true))
        .with("a.u64", Value::U64(u64::MAX))
        .with("a.i64", Value::I64(i64::MIN))
        .with("a.f64", Value::F64(0.1))
        .with("tokens", Value::texts(&["<s>", "", "é😀", "Ġthe"]))
        .with(
            "scores",
            Value::Array(6, vec![Value::F32(-1.0), Value::F32(2.5)]),
        )
        .with("none", Value::Array(8, vec![]))
        .with_floats("norm.weight", &[1.0, 2.0, -3.5])
        .with_tensor(
            "q.weight",
            &[64, 3],
            8,
            (0..6 * 34).map(|i| i as u8).collect(),
        )
        .with_tensor("k.weight", &[256, 1, 2], 14, vec![7; 2 * 210])
}

#[test]
fn what_was_written_is_read() {
    let file = sample();
    let bytes = file.bytes();
    let read = GgufSlice::new(&bytes).unwrap();
    let metadata = &read.header.metadata;

    assert_eq!(read.header.version, 3);
    assert_eq!(metadata.len(), file.pairs.len());
    assert_eq!(
        metadata.text("general.architecture").unwrap(),
        Some("llama")
    );
    assert_eq!(metadata.get("a.i8"), Some(&MetadataValue::I8(-3)));
    assert_eq!(metadata.get("a.i16"), Some(&MetadataValue::I16(-30_000)));
    assert_eq!(metadata.get("a.i64"), Some(&MetadataValue::I64(i64::MIN)));
    assert_eq!(metadata.get("a.f64"), Some(&MetadataValue::F64(0.1)));
    for (key, expected) in [
        ("a.u8", 200),
        ("a.u16", 60_000),
        ("a.u32", 4_000_000_000),
        ("a.i32", 7),
        ("a.u64", u64::MAX),
    ] {
        assert_eq!(metadata.unsigned(key).unwrap(), Some(expected), "{key}");
    }
    assert_eq!(metadata.float("a.f32").unwrap(), Some(1e-5));
    assert_eq!(metadata.boolean("a.bool").unwrap(), Some(true));
    let Some(MetadataArray::String(tokens)) = metadata.array("tokens").unwrap() else {
        panic!("tokens are strings");
    };
    assert_eq!(
        tokens.iter().collect::<Vec<_>>(),
        ["<s>", "", "é😀", "Ġthe"]
    );
    assert_eq!((tokens.get(3), tokens.get(4)), (Some("Ġthe"), None));
    let scores = metadata.array("scores").unwrap();
    assert_eq!(scores, Some(&MetadataArray::F32(vec![-1.0, 2.5])));
    assert!(metadata.array("none").unwrap().unwrap().is_empty());

    for written in &file.tensors {
        let (info, bytes) = read.tensor(&written.name).unwrap();
        assert_eq!(info.dimensions, written.dimensions);
        assert_eq!(info.format.clone().unwrap().ggml_id(), written.type_number);
        assert_eq!(info.offset % 32, 0);
        assert_eq!(bytes, written.bytes);
    }
    let (info, bytes) = read.tensor("norm.weight").unwrap();
    let floats = info.format.clone().unwrap().dequantise(bytes).unwrap();
    assert_eq!(floats, [1.0, 2.0, -3.5]);
    let shape = read.tensor("k.weight").unwrap().0.shape();
    assert_eq!(shape, [2, 1, 256]);
    assert!(read.tensor("v.weight").is_none());
}

#[test]
fn getters_point_to_values_of_another_type() {
    let file = sample();
    let bytes = file.bytes();
    let read = GgufSlice::new(&bytes).unwrap();
    let metadata = &read.header.metadata;

    assert_eq!(metadata.unsigned("no.such").unwrap(), None);
    let error = metadata
        .required("no.such", Metadata::unsigned)
        .unwrap_err();
    assert_eq!(error.code(), "model-malformed");
    assert!(error.to_string().contains("no.such"), "{error}");

    for error in [
        metadata.unsigned("a.i8").map(drop),
        metadata.unsigned("a.f32").map(drop),
        metadata.float("a.u8").map(drop),
        metadata.boolean("a.u8").map(drop),
        metadata.text("tokens").map(drop),
        metadata.array("a.bool").map(drop),
    ] {
        let error = error.unwrap_err();
        assert_eq!(error.code(), "model-malformed", "{error}");
    }
    // The value's own place: its bytes in the file are there.
    let error = metadata.float("a.u32").unwrap_err();
    let at = error.offset().unwrap() as usize;
    assert_eq!(bytes[at..at + 4], 4_000_000_000_u32.to_le_bytes());
}

#[test]
fn versions_alignments_and_empty_files() {
    for version in [2, 3] {
        for alignment in [1, 8, 32, 4096] {
            let file = GgufFile {
                version,
                alignment,
                ..sample()
            };
            let bytes = file.bytes();
            let read = GgufSlice::new(&bytes).unwrap();
            assert_eq!(read.header.version, version);
            assert_eq!(read.header.data_start % alignment as u64, 0);
            for written in &file.tensors {
                assert_eq!(read.tensor(&written.name).unwrap().1, written.bytes);
            }
        }
    }
    // Without tensors no padding is needed to be whole.
    let bare = Raw::preamble(3, 0, 0).0;
    let (_, tensors) = read(&bare, &[1]).unwrap();
    assert!(tensors.is_empty());
}

/// Any order of places is right, and so are gaps and bytes after the last tensor.
#[test]
fn tensors_come_in_the_order_of_their_places() {
    let raw = Raw::preamble(3, 3, 0)
        .tensor("third", &[1], 0, 96)
        .tensor("first", &[2], 0, 0)
        .tensor("second", &[1], 0, 32)
        .padded(32)
        .u32(11)
        .u32(12)
        .padded(32)
        .u32(21)
        .padded(32)
        .bytes(&[0xff; 32])
        .u32(31)
        .bytes(b"something else");
    let (_, tensors) = read(&raw.0, &[]).unwrap();
    let words = |bytes: &[u8]| {
        bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| b[0])
            .collect::<Vec<_>>()
    };
    assert_eq!(
        tensors.iter().map(|t| words(t)).collect::<Vec<_>>(),
        [vec![31], vec![11, 12], vec![21]]
    );
}

/// Every format's size, from its block's size in the format's description.
#[test]
fn every_format_has_its_size() {
    for (format, elements, bytes) in [
        (BlockFormat::F32, 256, 1024),
        (BlockFormat::F16, 256, 512),
        (BlockFormat::BF16, 256, 512),
        (BlockFormat::Q4_0, 32, 18),
        (BlockFormat::Q4_1, 32, 20),
        (BlockFormat::Q5_0, 32, 22),
        (BlockFormat::Q5_1, 32, 24),
        (BlockFormat::Q8_0, 32, 34),
        (BlockFormat::Q4_K, 256, 144),
        (BlockFormat::Q5_K, 256, 176),
        (BlockFormat::Q6_K, 256, 210),
    ] {
        let file =
            GgufFile::new().with_tensor("t", &[elements, 3], format.ggml_id(), vec![1; 3 * bytes]);
        let bytes = file.bytes();
        let read = GgufSlice::new(&bytes).unwrap();
        let (info, bytes) = read.tensor("t").unwrap();
        assert_eq!(info.format, Ok(format));
        assert_eq!(bytes, file.tensors[0].bytes, "{}", format.name());
    }
}

#[test]
fn a_source_is_read_to_its_last_tensor() {
    struct Failing<'a>(&'a [u8]);
    impl std::io::Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Err(std::io::Error::other("unplugged"));
            }
            std::io::Read::read(&mut self.0, buffer)
        }
    }
    let bytes = sample().bytes();
    let mut count = 0;
    let mut handle = |event: GgufEvent<'_>| {
        if let GgufEvent::Tensor { bytes, .. } = event {
            count += bytes.len();
        }
        Ok::<(), WeightsError>(())
    };
    // Not read beyond its end, where this source fails.
    read_gguf(Failing(&bytes), Some(bytes.len() as u64), &mut handle).unwrap();
    let error = read_gguf(Failing(&bytes[..900]), None, &mut handle).unwrap_err();
    assert_eq!(error.code(), "model-read");
    assert_eq!(error.offset(), Some(900));
    let error = read_gguf(&bytes[..900], None, &mut handle).unwrap_err();
    assert_eq!(error.code(), "model-truncated");
    let written: usize = sample()
        .tensors
        .iter()
        .map(|tensor| tensor.bytes.len())
        .sum();
    assert!(count >= written);
}
