//! Feeding files to the reader in pieces.

use kvscope::formats::WeightsError;
use kvscope::formats::safetensors::{SafetensorsEvent, SafetensorsReader};

/// The header as text that can be compared, and each tensor's bytes in the header's order.
pub fn read(bytes: &[u8], pieces: &[usize]) -> Result<(String, Vec<Vec<u8>>), WeightsError> {
    let mut reader = SafetensorsReader::new(None);
    let (mut header, mut tensors) = (String::new(), Vec::new());
    let mut rest = bytes;
    let mut place = 0;
    let mut lengths = pieces.iter().copied().cycle();
    while !rest.is_empty() {
        let length = lengths
            .next()
            .map_or(rest.len(), |length| length.min(rest.len()));
        let (mut input, later) = rest.split_at(length);
        rest = later;
        while let Some(event) = reader.push(&mut input)? {
            match event {
                SafetensorsEvent::Header(complete) => {
                    assert!(header.is_empty(), "one header");
                    header = format!("{complete:?}");
                    tensors = vec![Vec::new(); complete.tensors.len()];
                }
                SafetensorsEvent::Tensor {
                    index,
                    offset,
                    bytes,
                    last,
                } => {
                    let info = reader.header().unwrap().tensors.get(index).unwrap();
                    assert_eq!(tensors[index].len() as u64, offset, "no gap");
                    assert!(!bytes.is_empty());
                    assert!(info.offset + offset >= place, "in the order of places");
                    place = info.offset + offset + bytes.len() as u64;
                    tensors[index].extend_from_slice(bytes);
                    assert_eq!(last, tensors[index].len() as u64 == info.bytes);
                }
            }
        }
        assert!(input.is_empty());
    }
    assert_eq!(reader.position(), bytes.len() as u64);
    reader.finish()?;
    assert!(reader.is_complete());
    Ok((header, tensors))
}

/// Reads to the end in pieces of `piece` bytes and gives the error, if there is one.
pub fn outcome(bytes: &[u8], piece: usize, file_bytes: Option<u64>) -> Result<(), WeightsError> {
    let mut reader = SafetensorsReader::new(file_bytes);
    for mut input in bytes.chunks(piece) {
        while reader.push(&mut input)?.is_some() {}
    }
    reader.finish()
}
