//! Writing GGUF files (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>), as far as one model needs it.

use half::f16;

/// Tensors begin at multiples of it.
const ALIGNMENT: usize = 32;
/// Elements that share a scale.
const BLOCK: usize = 32;

/// A file to be: its metadata and its tensors.
#[derive(Default)]
pub struct GgufWriter {
    pairs: u64,
    metadata: Vec<u8>,
    tensors: u64,
    directory: Vec<u8>,
    data: Vec<u8>,
}

/// The types of values, by their numbers in the file.
#[derive(Clone, Copy)]
enum ValueType {
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
}

/// The types of tensors, by their numbers in the file.
#[derive(Clone, Copy)]
enum TensorType {
    F32 = 0,
    Q8_0 = 8,
}

impl GgufWriter {
    pub fn u32(&mut self, key: &str, value: usize) {
        self.begin(key, ValueType::U32);
        self.metadata.extend((value as u32).to_le_bytes());
    }

    pub fn f32(&mut self, key: &str, value: f64) {
        self.begin(key, ValueType::F32);
        self.metadata.extend((value as f32).to_le_bytes());
    }

    pub fn bool(&mut self, key: &str, value: bool) {
        self.begin(key, ValueType::Bool);
        self.metadata.push(u8::from(value));
    }

    pub fn string(&mut self, key: &str, value: &str) {
        self.begin(key, ValueType::String);
        put_string(&mut self.metadata, value);
    }

    pub fn strings(&mut self, key: &str, values: &[String]) {
        self.begin_array(key, ValueType::String, values.len());
        for value in values {
            put_string(&mut self.metadata, value);
        }
    }

    pub fn f32s(&mut self, key: &str, values: &[f32]) {
        self.begin_array(key, ValueType::F32, values.len());
        self.metadata
            .extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    pub fn i32s(&mut self, key: &str, values: &[i32]) {
        self.begin_array(key, ValueType::I32, values.len());
        self.metadata
            .extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    /// A vector, in 32-bit floats.
    pub fn vector(&mut self, name: &str, elements: &[f32]) {
        self.begin_tensor(name, &[elements.len()], TensorType::F32);
        self.data
            .extend(elements.iter().flat_map(|element| element.to_le_bytes()));
    }

    /// A matrix of rows of `width` elements, in Q8_0. The width is a multiple of 32.
    pub fn matrix(&mut self, name: &str, elements: &[f32], width: usize) {
        // The first dimension is the one whose elements are neighbours.
        self.begin_tensor(name, &[width, elements.len() / width], TensorType::Q8_0);
        for block in elements.chunks(BLOCK) {
            put_block(&mut self.data, block);
        }
    }

    /// The file.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3_u32.to_le_bytes());
        file.extend(self.tensors.to_le_bytes());
        file.extend(self.pairs.to_le_bytes());
        file.extend(self.metadata);
        file.extend(self.directory);
        pad(&mut file);
        file.extend(self.data);
        pad(&mut file);
        file
    }

    fn begin(&mut self, key: &str, value_type: ValueType) {
        self.pairs += 1;
        put_string(&mut self.metadata, key);
        self.metadata.extend((value_type as u32).to_le_bytes());
    }

    fn begin_array(&mut self, key: &str, value_type: ValueType, count: usize) {
        self.begin(key, ValueType::Array);
        self.metadata.extend((value_type as u32).to_le_bytes());
        self.metadata.extend((count as u64).to_le_bytes());
    }

    fn begin_tensor(&mut self, name: &str, dimensions: &[usize], tensor_type: TensorType) {
        pad(&mut self.data);
        self.tensors += 1;
        let directory = &mut self.directory;
        put_string(directory, name);
        directory.extend((dimensions.len() as u32).to_le_bytes());
        for &dimension in dimensions {
            directory.extend((dimension as u64).to_le_bytes());
        }
        directory.extend((tensor_type as u32).to_le_bytes());
        directory.extend((self.data.len() as u64).to_le_bytes());
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// 32 elements as a scale and as many signed bytes.
fn put_block(bytes: &mut Vec<u8>, block: &[f32]) {
    let largest = block
        .iter()
        .fold(0.0_f32, |largest, it| largest.max(it.abs()));
    let scale = f16::from_f32(largest / 127.0);
    bytes.extend(scale.to_le_bytes());
    // What the scale is once it is rounded: readers multiply by that.
    let scale = scale.to_f32();
    bytes.extend(block.iter().map(|element| {
        let quotient = if scale > 0.0 { element / scale } else { 0.0 };
        quotient.round().clamp(-127.0, 127.0) as i8 as u8
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_a_scale_and_bytes() {
        let mut block = [0.0; 32];
        block[0] = 127.0;
        block[1] = -63.6;
        let mut bytes = Vec::new();
        put_block(&mut bytes, &block);
        assert_eq!(bytes.len(), 34);
        // 1.0 in half precision, lowest byte first.
        assert_eq!(bytes[..2], [0x00, 0x3c]);
        assert_eq!(bytes[2..5], [127, (-64_i8) as u8, 0]);
    }

    #[test]
    fn a_file_begins_with_its_counts_and_data_is_aligned() {
        let mut writer = GgufWriter::default();
        writer.u32("a", 7);
        writer.vector("v", &[1.0, 2.0]);
        writer.vector("w", &[3.0]);
        let file = writer.into_bytes();
        let mut head = b"GGUF\x03\0\0\0".to_vec();
        head.extend([2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(file[..24], head);
        assert_eq!(file[file.len() - 64..][..8], [0, 0, 128, 63, 0, 0, 0, 64]);
        assert_eq!(file[file.len() - 32..][..4], 3.0_f32.to_le_bytes());
    }
}
