//! Feeding safetensors files to the reader in pieces.

use kvscope::formats::WeightsError;
use kvscope::formats::safetensors::SafetensorsHeader;

use super::Contents;

/// The file's contents, read in pieces of the lengths `pieces` in turn.
pub fn read(bytes: &[u8], pieces: &[usize]) -> Result<Contents, WeightsError> {
    let (contents, reader) = super::read::<SafetensorsHeader>(bytes, pieces)?;
    assert_eq!(reader.position(), bytes.len() as u64);
    assert!(reader.is_complete());
    Ok(contents)
}

/// Reads to the end in pieces of `piece` bytes and gives the error, if there is one.
pub fn outcome(bytes: &[u8], piece: usize, file_bytes: Option<u64>) -> Result<(), WeightsError> {
    super::outcome::<SafetensorsHeader>(bytes, piece, file_bytes)
}
