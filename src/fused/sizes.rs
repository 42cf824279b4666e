//! The sizes that a decode step's shaders are rendered for.

use crate::kernels::RowFormat;
use crate::kernels::block_source::GROUP;

/// Sizes of a model, and its rotary embedding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecodeSizes {
    /// Number of layers.
    pub layers: usize,
    /// Elements of a hidden state.
    pub width: usize,
    /// Elements between the matrices of a feed-forward.
    pub feed_forward: usize,
    /// Query heads per layer.
    pub query_heads: usize,
    /// KV heads per layer.
    pub kv_heads: usize,
    /// Elements per head.
    pub dim: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Added to the mean square by RMSNorm.
    pub epsilon: f32,
    /// Factor of query · key before the softmax.
    pub scale: f32,
    /// Elements per head that RoPE turns, the first ones.
    pub rotated: usize,
    /// `true` if RoPE pairs neighbours, `false` if it pairs elements half of `rotated` apart.
    pub interleaved: bool,
    /// `true` if queries, keys and values have biases.
    pub biases: bool,
    /// True if queries and keys have a norm per head.
    pub head_norms: bool,
    /// The cache's storage type.
    pub rows: RowFormat,
}

/// Slots per workgroup of the attention kernel.
pub const SPLIT: usize = 256;

/// The most query heads per KV head that the attention kernel supports.
const MOST_GROUP: usize = 8;

/// No slot, or no token, in the shaders: a number that f32 represents exactly.
pub const NONE: u32 = (1 << 24) - 1;

/// Logits per workgroup that looks for the largest.
pub const PART: usize = 2048;

/// Offsets of the parts of the activations, in vectors of four elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activations {
    /// `[width]`
    pub hidden: usize,
    /// `[width]`, the hidden state times the weight of the next norm.
    pub weighted: usize,
    /// `[width / 32, 4]`: the first element of each vector is the sum of squares of 32 elements.
    pub squares: usize,
    /// `[query_heads, dim]`
    pub queries: usize,
    /// `[query_heads, dim]`
    pub attended: usize,
    /// `[feed_forward]`
    pub feed_forward: usize,
    /// Vectors in all.
    pub vectors: usize,
}

impl DecodeSizes {
    /// `true` if the kernels support these sizes.
    pub fn fit(&self) -> bool {
        let Self { dim, kv_heads, .. } = *self;
        let queries = self.query_heads * dim;
        kv_heads > 0
            && self.query_heads.is_multiple_of(kv_heads)
            && (1..=MOST_GROUP).contains(&self.group())
            && (8..=256).contains(&dim)
            && dim.is_multiple_of(8)
            && (self.rows.words)(dim).is_some()
            && dim.is_multiple_of((self.rows.unit)(dim).max(4))
            && self.rotated.is_multiple_of(2)
            && self.rotated <= dim
            && self.width > 0
            && self.vocabulary > 0
            && self.feed_forward > 0
            && [self.width, queries, self.feed_forward]
                .iter()
                .all(|size| size.is_multiple_of(GROUP))
    }

    /// Query heads per KV head.
    pub fn group(&self) -> usize {
        self.query_heads / self.kv_heads.max(1)
    }

    /// Offsets of the activations.
    pub fn activations(&self) -> Activations {
        let queries = self.query_heads * self.dim / 4;
        let width = self.width / 4;
        let squares = 2 * width;
        let first = squares + self.width / GROUP;
        Activations {
            hidden: 0,
            weighted: width,
            squares,
            queries: first,
            attended: first + queries,
            feed_forward: first + 2 * queries,
            vectors: first + 2 * queries + self.feed_forward / 4,
        }
    }

    /// f32 that attention leaves per KV head and split. One is the first empty slot. Per query head
    /// there are the largest logit, the sum of exponentials and the weighted sum of values.
    pub fn partial(&self) -> usize {
        self.group() * (2 + self.dim) + 1
    }

    /// Parts of the logits, one per workgroup that looks for the largest.
    pub fn parts(&self) -> usize {
        self.vocabulary.div_ceil(PART)
    }
}
