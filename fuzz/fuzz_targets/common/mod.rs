//! Common parts of the targets: an input's pieces, the seeds, and the bound on memory.

#[path = "../../../tests/support/counting.rs"]
pub mod counting;

use std::path::PathBuf;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Bytes of an input that set the lengths of the pieces.
const CONTROL: usize = 4;

/// An input: the lengths of the pieces, in a cycle, and the file.
pub struct Input<'a> {
    pub pieces: [usize; CONTROL],
    pub file: &'a [u8],
}

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Option<Self> {
        let (control, file) = data.split_first_chunk::<CONTROL>()?;
        Some(Self {
            pieces: control.map(|byte| 1 + usize::from(byte)),
            file,
        })
    }

    /// The file in its pieces.
    pub fn split(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.file;
        self.pieces.into_iter().cycle().map_while(move |length| {
            let (piece, later) = rest.split_at(length.min(rest.len()));
            rest = later;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

/// Panics if `read`, which reads a file of `length` bytes, takes memory out of proportion to it.
pub fn frugal(length: usize, read: impl FnOnce()) {
    let peak = counting::peak(read);
    let most = 24 * length + (128 << 10);
    assert!(peak <= most, "{peak} bytes held for {length} delivered");
}

/// Writes valid files, each cut into several kinds of pieces, to the folder of
/// `KVSCOPE_FUZZ_SEEDS`.
pub fn write_seeds(files: impl IntoIterator<Item = Vec<u8>>) {
    let Some(folder) = std::env::var_os("KVSCOPE_FUZZ_SEEDS").map(PathBuf::from) else {
        return;
    };
    std::fs::create_dir_all(&folder).expect("the seeds' folder can be made");
    for (i, file) in files.into_iter().enumerate() {
        let control = [[255, 255, 255, 255], [0, 6, 63, 1]][i % 2];
        let seed = [&control[..], &file].concat();
        std::fs::write(folder.join(i.to_string()), seed).expect("the seeds' folder can be written");
    }
}
