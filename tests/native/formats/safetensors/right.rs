//! Files written by the crate `safetensors` are read as they were written, in pieces of any size.

use kvscope::formats::safetensors::{
    SafetensorsEvent, SafetensorsReader, SafetensorsSlice, read_safetensors,
};
use kvscope::formats::{BlockFormat, WeightsError};
use proptest::prelude::*;
use safetensors::tensor::Dtype;

use crate::support::reading::safetensors::read;
use crate::support::safetensors_file::{Tensor, entry, header, raw, written};

fn sample() -> Vec<Tensor> {
    let floats = [1.0_f32, -2.5, 3e-5, 0.0, 7.0, f32::MAX];
    vec![
        Tensor {
            bytes: floats
                .iter()
                .flat_map(|float| float.to_le_bytes())
                .collect(),
            ..Tensor::new("norm.weight", Dtype::F32, &[2, 3], 0)
        },
        Tensor::new("q.weight", Dtype::BF16, &[2, 3, 4], 1),
        Tensor::new("k.weight", Dtype::F16, &[5], 2),
        Tensor::new("Schlüssel \"v\"\n", Dtype::F16, &[1, 1, 2, 2], 3),
    ]
}

#[test]
fn what_was_written_is_read() {
    let tensors = sample();
    let bytes = written(&tensors, &[("format", "pt"), ("é", "\u{1f600}")]);
    let read = SafetensorsSlice::new(&bytes).unwrap();
    assert_eq!(read.header.tensors.len(), tensors.len());
    assert_eq!(read.header.file_bytes(), bytes.len() as u64);
    let metadata: Vec<_> = read.header.metadata.iter().collect();
    assert_eq!(
        metadata,
        [
            (&"format".to_owned(), &"pt".to_owned()),
            (&"é".to_owned(), &"\u{1f600}".to_owned())
        ]
    );
    for tensor in &tensors {
        let (info, bytes) = read.tensor(&tensor.name).unwrap();
        let shape: Vec<_> = info.shape().into_iter().map(|d| d as usize).collect();
        assert_eq!(shape, tensor.shape);
        assert_eq!(
            info.format.clone().unwrap().name(),
            tensor.dtype.to_string()
        );
        assert_eq!(bytes, tensor.bytes);
        assert_eq!(info.bytes, bytes.len() as u64);
    }
    let (info, bytes) = read.tensor("norm.weight").unwrap();
    assert_eq!(info.dimensions, [3, 2]);
    assert_eq!(info.format, Ok(BlockFormat::F32));
    let floats = info.format.clone().unwrap().dequantise(bytes).unwrap();
    assert_eq!(floats, [1.0, -2.5, 3e-5, 0.0, 7.0, f32::MAX]);
    assert!(read.tensor("v.weight").is_none());
}

/// An entry is pointed to where its name stands in the file.
#[test]
fn entries_have_their_places() {
    let bytes = written(&sample(), &[]);
    let read = SafetensorsSlice::new(&bytes).unwrap();
    for name in ["norm.weight", "q.weight", "k.weight"] {
        let quoted = format!("\"{name}\"");
        let found = bytes
            .windows(quoted.len())
            .position(|text| text == quoted.as_bytes());
        let entry = read.header.tensors.find(name).unwrap().entry_offset();
        assert_eq!(Some(entry), found.map(|at| at as u64), "{name}");
    }
}

/// The header may list tensors in any order; they come in the order of their places.
#[test]
fn tensors_come_in_the_order_of_their_places() {
    let entries = [
        entry("third", "F16", &[1], 12, 14),
        entry("first", "F32", &[2], 0, 8),
        entry("second", "BF16", &[2, 1], 8, 12),
    ];
    let data: Vec<u8> = (0..14).collect();
    // A header may be padded with spaces.
    let bytes = raw(header(&entries) + "    ", &data);
    let (_, tensors) = read(&bytes, &[5]).unwrap();
    assert_eq!(
        tensors,
        [
            data[12..].to_vec(),
            data[..8].to_vec(),
            data[8..12].to_vec()
        ]
    );
}

#[test]
fn a_file_without_tensors() {
    for text in ["{}", "{}      ", r#"{"__metadata__":{"a":"b"}}"#] {
        let bytes = raw(text, &[]);
        let (_, tensors) = read(&bytes, &[1]).unwrap();
        assert!(tensors.is_empty());
        assert!(SafetensorsSlice::new(&bytes).is_ok());
    }
}

/// Places are 64 bits wide on every machine.
#[test]
fn tensors_may_lie_beyond_4_gib() {
    let far = 5 << 30;
    let text = header(&[
        entry("a", "F16", &[far / 2], 0, far),
        entry("b", "F32", &[1], far, far + 4),
    ]);
    let bytes = raw(&text, &[]);
    let length = bytes.len() as u64 + far + 4;
    let mut reader = SafetensorsReader::new(Some(length));
    let Ok(Some(SafetensorsEvent::Header(header))) = reader.push(&mut bytes.as_slice()) else {
        panic!("the header is right");
    };
    assert_eq!(header.file_bytes(), length);
    assert_eq!(header.tensors.find("b").unwrap().offset, length - 4);
    let chunk = vec![0; 1 << 24];
    let mut seen = 0;
    while !reader.is_complete() {
        let left = length - reader.position();
        let mut input = &chunk[..chunk.len().min(left as usize)];
        while let Some(event) = reader.push(&mut input).unwrap() {
            if let SafetensorsEvent::Tensor { index, bytes, .. } = event {
                seen += bytes.len() as u64;
                assert_eq!(index, usize::from(seen > far));
            }
        }
    }
    assert_eq!(seen, far + 4);
    reader.finish().unwrap();
}

#[test]
fn a_source_is_read_to_its_end() {
    struct Failing<'a>(&'a [u8]);
    impl std::io::Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Err(std::io::Error::other("unplugged"));
            }
            std::io::Read::read(&mut self.0, buffer)
        }
    }
    let bytes = written(&sample(), &[]);
    let mut count = 0;
    let mut handle = |event: SafetensorsEvent<'_>| {
        if let SafetensorsEvent::Tensor { bytes, .. } = event {
            count += bytes.len();
        }
        Ok::<(), WeightsError>(())
    };
    read_safetensors(bytes.as_slice(), Some(bytes.len() as u64), &mut handle).unwrap();
    let cut = &bytes[..bytes.len() - 9];
    let error = read_safetensors(Failing(cut), None, &mut handle).unwrap_err();
    assert_eq!(
        (error.code(), error.offset()),
        ("model-read", Some(cut.len() as u64))
    );
    let error = read_safetensors(cut, None, &mut handle).unwrap_err();
    assert_eq!(error.code(), "model-truncated");
    let longer = [&bytes[..], b"x"].concat();
    let error = read_safetensors(longer.as_slice(), None, &mut handle).unwrap_err();
    assert_eq!(error.code(), "model-malformed");
    let tensors = sample();
    let written: usize = tensors.iter().map(|tensor| tensor.bytes.len()).sum();
    assert_eq!(count, 4 * written - 18);
}

fn any_tensors() -> impl Strategy<Value = Vec<Tensor>> {
    let dtype = prop_oneof![Just(Dtype::F32), Just(Dtype::F16), Just(Dtype::BF16)];
    let shape = prop::collection::vec(1..5_usize, 1..=4);
    let tensor = (".{0,8}", dtype, shape, any::<u8>());
    prop::collection::vec(tensor, 0..6).prop_map(|tensors| {
        let tensors = tensors.into_iter().enumerate();
        tensors
            .map(|(i, (name, dtype, shape, first))| {
                Tensor::new(&format!("{i}{name}"), dtype, &shape, first)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_of_any_size_give_what_was_written(
        tensors in any_tensors(),
        pieces in prop::collection::vec(1..200_usize, 1..20),
    ) {
        let bytes = written(&tensors, &[("a", "b")]);
        let whole = read(&bytes, &[]).unwrap();
        let slice = SafetensorsSlice::new(&bytes).unwrap();
        prop_assert_eq!(slice.header.tensors.len(), tensors.len());
        for tensor in &tensors {
            let index = slice.header.tensors.index_of(&tensor.name).unwrap();
            prop_assert_eq!(&whole.1[index], &tensor.bytes);
        }
        prop_assert_eq!(&read(&bytes, &pieces).unwrap(), &whole);
        prop_assert_eq!(&read(&bytes, &[1]).unwrap(), &whole);
    }
}
