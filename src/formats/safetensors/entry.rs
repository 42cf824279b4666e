//! One tensor's entry in a header.

use super::MAX_DIMENSIONS;
use crate::formats::{BlockFormat, TensorInfo, WeightsError};
use crate::quoted::quoted;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// The types that are read: plain numbers, whose names are ggml's.
fn formats() -> impl Iterator<Item = BlockFormat> {
    let all = BlockFormat::ALL.into_iter();
    all.filter(|format| format.block_elements() == 1)
}

/// An entry as the file has it; other members are passed over.
#[derive(Deserialize)]
pub(super) struct Entry {
    dtype: String,
    shape: Shape,
    /// Begin and end of its bytes, from the end of the header.
    data_offsets: (u64, u64),
}

impl Entry {
    /// Checks all that does not depend on other tensors, and gives the tensor its place in the
    /// file. The file's tensors begin at byte `data_start`. The entry itself begins at byte
    /// `entry`.
    pub(super) fn tensor(
        self,
        name: &str,
        entry: u64,
        data_start: u64,
    ) -> Result<TensorInfo, WeightsError> {
        let of = |what: &str| format!("the {what} of tensor {}", quoted(name));
        let wrong = |what, found: String, expected: String| {
            WeightsError::malformed(entry, what, found, expected)
        };
        let (begin, end) = self.data_offsets;
        let offsets = || (of("offsets"), format!("{begin} and {end}"));
        let (dimensions, format, bytes) = match self.read(entry, of) {
            Ok((dimensions, format)) => {
                let bytes = format.bytes_of(&dimensions).map_err(|expected| {
                    let found = format!("{} of {}", self.shape, format.name());
                    wrong(of("shape"), found, expected)
                })?;
                if end.checked_sub(begin) != Some(bytes) {
                    let (what, found) = offsets();
                    let expected = format!(
                        "two that are {bytes} apart, for {} of {}",
                        self.shape,
                        format.name()
                    );
                    return Err(wrong(what, found, expected));
                }
                (dimensions, Ok(format), bytes)
            }
            Err(unread) => {
                let bytes = end.checked_sub(begin).ok_or_else(|| {
                    let (what, found) = offsets();
                    wrong(what, found, "two in order".to_owned())
                })?;
                (Vec::new(), Err(unread), bytes)
            }
        };
        if data_start.checked_add(end).is_none() {
            let (what, found) = offsets();
            return Err(wrong(what, found, "two inside a file".to_owned()));
        }
        Ok(TensorInfo {
            name: name.to_owned(),
            dimensions,
            format,
            // Can't overflow: the end, which is not before it, does not.
            offset: data_start + begin,
            bytes,
            entry,
        })
    }

    /// Its dimensions in a directory's order and its type, if such a tensor is read. `of` names a
    /// part of it for errors.
    fn read(
        &self,
        entry: u64,
        of: impl Fn(&str) -> String,
    ) -> Result<(Vec<u64>, BlockFormat), WeightsError> {
        let unsupported = |what, found, supported| WeightsError::Unsupported {
            offset: entry,
            what,
            found,
            supported,
        };
        let format = formats().find(|format| format.name() == self.dtype);
        let format = format.ok_or_else(|| {
            let names: Vec<_> = formats().map(BlockFormat::name).collect();
            unsupported(of("type"), quoted(&self.dtype), names.join(", "))
        })?;
        let dimensions = self.shape.dimensions().ok_or_else(|| {
            let supported = format!("1 to {MAX_DIMENSIONS} dimensions, none of them 0");
            unsupported(of("shape"), self.shape.to_string(), supported)
        })?;
        Ok((dimensions, format))
    }
}

/// A shape as the file has it, the dimension whose elements are neighbours last. Of a long one only
/// the front is kept.
struct Shape {
    front: Vec<u64>,
    length: usize,
}

impl Shape {
    /// The dimensions in a directory's order, if they are of a tensor that can be read.
    fn dimensions(&self) -> Option<Vec<u64>> {
        let counts = 1..=MAX_DIMENSIONS;
        let usable = counts.contains(&self.length) && !self.front.contains(&0);
        usable.then(|| self.front.iter().rev().copied().collect())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length > self.front.len() {
            write!(formatter, "of {} dimensions", self.length)
        } else {
            write!(formatter, "{:?}", self.front)
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an array of dimensions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Shape, A::Error> {
        let mut front = Vec::new();
        while front.len() < MAX_DIMENSIONS {
            match sequence.next_element()? {
                Some(dimension) => front.push(dimension),
                None => break,
            }
        }
        let mut length = front.len();
        while sequence.next_element::<IgnoredAny>()?.is_some() {
            length += 1;
        }
        Ok(Shape { front, length })
    }
}
