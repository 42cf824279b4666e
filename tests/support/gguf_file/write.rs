//! A small GGUF writer, from the format's description; it shares nothing with the reader.
//! `xtask/train` takes it too.

/// Bytes put together item by item.
#[derive(Debug, Clone, Default)]
pub struct Raw(pub Vec<u8>);

impl Raw {
    /// Magic number, version and counts.
    pub fn preamble(version: u32, tensors: u64, pairs: u64) -> Self {
        Self(b"GGUF".to_vec()).u32(version).u64(tensors).u64(pairs)
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    pub fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    pub fn string(self, text: &str) -> Self {
        self.u64(text.len() as u64).bytes(text.as_bytes())
    }

    pub fn pair(self, key: &str, value: &Value) -> Self {
        value.write(self.string(key).u32(value.type_number()))
    }

    pub fn tensor(self, name: &str, dimensions: &[u64], type_number: u32, offset: u64) -> Self {
        let raw = self.string(name).u32(dimensions.len() as u32);
        let raw = dimensions.iter().fold(raw, |raw, &d| raw.u64(d));
        raw.u32(type_number).u64(offset)
    }

    pub fn padded(mut self, alignment: usize) -> Self {
        let length = self.0.len().next_multiple_of(alignment);
        self.0.resize(length, 0);
        self
    }
}

/// A metadata value. Of an array, the elements' type is given for the sake of empty ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Text(String),
    Array(u32, Vec<Value>),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl Value {
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub fn texts(texts: &[&str]) -> Self {
        Self::Array(8, texts.iter().map(|text| Self::text(text)).collect())
    }

    pub fn type_number(&self) -> u32 {
        match self {
            Self::U8(_) => 0,
            Self::I8(_) => 1,
            Self::U16(_) => 2,
            Self::I16(_) => 3,
            Self::U32(_) => 4,
            Self::I32(_) => 5,
            Self::F32(_) => 6,
            Self::Bool(_) => 7,
            Self::Text(_) => 8,
            Self::Array(..) => 9,
            Self::U64(_) => 10,
            Self::I64(_) => 11,
            Self::F64(_) => 12,
        }
    }

    fn write(&self, raw: Raw) -> Raw {
        match self {
            Self::U8(v) => raw.bytes(&v.to_le_bytes()),
            Self::I8(v) => raw.bytes(&v.to_le_bytes()),
            Self::U16(v) => raw.bytes(&v.to_le_bytes()),
            Self::I16(v) => raw.bytes(&v.to_le_bytes()),
            Self::U32(v) => raw.bytes(&v.to_le_bytes()),
            Self::I32(v) => raw.bytes(&v.to_le_bytes()),
            Self::F32(v) => raw.bytes(&v.to_le_bytes()),
            Self::Bool(v) => raw.bytes(&[u8::from(*v)]),
            Self::Text(v) => raw.string(v),
            Self::Array(element, values) => {
                let raw = raw.u32(*element).u64(values.len() as u64);
                values.iter().fold(raw, |raw, value| value.write(raw))
            }
            Self::U64(v) => raw.bytes(&v.to_le_bytes()),
            Self::I64(v) => raw.bytes(&v.to_le_bytes()),
            Self::F64(v) => raw.bytes(&v.to_le_bytes()),
        }
    }
}

/// A tensor to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub name: String,
    pub dimensions: Vec<u64>,
    pub type_number: u32,
    pub bytes: Vec<u8>,
}

/// A whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufFile {
    pub version: u32,
    /// Written as `general.alignment` unless it is the default, 32.
    pub alignment: usize,
    pub pairs: Vec<(String, Value)>,
    pub tensors: Vec<Tensor>,
}

impl GgufFile {
    pub fn new() -> Self {
        Self {
            version: 3,
            alignment: 32,
            pairs: Vec::new(),
            tensors: Vec::new(),
        }
    }

    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.pairs.push((key.to_owned(), value));
        self
    }

    pub fn with_tensor(
        mut self,
        name: &str,
        dimensions: &[u64],
        type_number: u32,
        bytes: Vec<u8>,
    ) -> Self {
        self.tensors.push(Tensor {
            name: name.to_owned(),
            dimensions: dimensions.to_vec(),
            type_number,
            bytes,
        });
        self
    }

    /// A vector of f32.
    pub fn with_floats(self, name: &str, floats: &[f32]) -> Self {
        let bytes = floats
            .iter()
            .flat_map(|float| float.to_le_bytes())
            .collect();
        self.with_tensor(name, &[floats.len() as u64], 0, bytes)
    }

    /// The file's bytes; the last tensor is padded too, as other writers do.
    pub fn bytes(&self) -> Vec<u8> {
        let alignment = Value::U32(self.alignment as u32);
        let aligned = (self.alignment != 32).then_some(("general.alignment", &alignment));
        let own = self.pairs.iter().map(|(key, value)| (key.as_str(), value));
        let pairs: Vec<_> = aligned.into_iter().chain(own).collect();
        let raw = Raw::preamble(self.version, self.tensors.len() as u64, pairs.len() as u64);
        let raw = pairs
            .iter()
            .fold(raw, |raw, (key, value)| raw.pair(key, value));
        let mut offset = 0;
        let raw = self.tensors.iter().fold(raw, |raw, tensor| {
            let at = offset as u64;
            offset += tensor.bytes.len().next_multiple_of(self.alignment);
            raw.tensor(&tensor.name, &tensor.dimensions, tensor.type_number, at)
        });
        let raw = raw.padded(self.alignment);
        let raw = self.tensors.iter().fold(raw, |raw, tensor| {
            raw.bytes(&tensor.bytes).padded(self.alignment)
        });
        raw.0
    }
}
