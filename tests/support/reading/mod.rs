//! Feeding files of a format to its reader in pieces.

pub mod gguf;
pub mod safetensors;

use kvscope::formats::{FileEvent, FileHeader, FileReader, WeightsError};

/// The header as text that can be compared, and each tensor's bytes in the directory's order.
pub type Contents = (String, Vec<Vec<u8>>);

/// Contents of `bytes`, read in pieces of the lengths `pieces` in turn, and the reader at the end.
pub fn read<H: FileHeader>(
    bytes: &[u8],
    pieces: &[usize],
) -> Result<(Contents, FileReader<H>), WeightsError> {
    let mut reader = FileReader::<H>::new(None);
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
                FileEvent::Header(complete) => {
                    assert!(header.is_empty(), "one header");
                    header = format!("{complete:?}");
                    tensors = vec![Vec::new(); complete.tensors().len()];
                }
                FileEvent::Tensor {
                    index,
                    offset,
                    bytes,
                    last,
                } => {
                    let info = reader.header().unwrap().tensors().get(index).unwrap();
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
    reader.finish()?;
    Ok(((header, tensors), reader))
}

/// Reads to the end in pieces of `piece` bytes and gives the error, if there is one.
pub fn outcome<H: FileHeader>(
    bytes: &[u8],
    piece: usize,
    file_bytes: Option<u64>,
) -> Result<(), WeightsError> {
    let mut reader = FileReader::<H>::new(file_bytes);
    for mut input in bytes.chunks(piece) {
        while reader.push(&mut input)?.is_some() {}
    }
    reader.finish()
}
