//! What the shaders of a decode step are written out for.

/// The sizes of a model, and how its queries and keys are turned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecodeSizes {
    /// Layers.
    pub layers: usize,
    /// Elements of a token's hidden state.
    pub width: usize,
    /// Elements between a feed-forward's matrices.
    pub feed_forward: usize,
    /// Query heads a layer.
    pub query_heads: usize,
    /// KV heads a layer.
    pub kv_heads: usize,
    /// Elements of a head.
    pub dim: usize,
    /// Tokens that the model knows.
    pub vocabulary: usize,
    /// What RMSNorm adds to the mean square.
    pub epsilon: f32,
    /// Factor of query · key before the softmax.
    pub scale: f32,
    /// How many of a head's elements are turned, the first ones.
    pub rotated: usize,
    /// Whether neighbours are turned together, or elements half of `rotated` apart.
    pub interleaved: bool,
    /// Whether queries, keys and values have biases.
    pub biases: bool,
    /// Whether queries and keys have a norm a head.
    pub head_norms: bool,
    /// Whether the cache's elements are f16, two in a word, or f32.
    pub packed: bool,
}

/// Slots of one workgroup of the attention kernel.
pub const SPLIT: usize = 256;

/// The most query heads that share a KV head in the attention kernel.
const MOST_GROUP: usize = 8;

/// No slot, or no token, in the shaders: a number that f32 has exactly.
pub const NONE: u32 = (1 << 24) - 1;

/// Logits of one workgroup that looks for the largest.
pub const PART: usize = 2048;

/// Where the parts of the activations lie, in vectors of four elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activations {
    /// `[width]`
    pub hidden: usize,
    /// `[width]`, the hidden state multiplied by the weight of the norm that comes next.
    pub weighted: usize,
    /// `[width / 32, 4]`, in each first element the sum of squares of 32 elements of the hidden state.
    pub squares: usize,
    /// `[query_heads, dim]`
    pub queries: usize,
    /// `[query_heads, dim]`
    pub attended: usize,
    /// `[feed_forward]`
    pub feed_forward: usize,
    /// Their number.
    pub vectors: usize,
}

impl DecodeSizes {
    /// Whether the kernels are written for such sizes.
    pub fn fit(&self) -> bool {
        let Self { dim, kv_heads, .. } = *self;
        let queries = self.query_heads * dim;
        kv_heads > 0
            && self.query_heads.is_multiple_of(kv_heads)
            && (1..=MOST_GROUP).contains(&self.group())
            && (8..=256).contains(&dim)
            && dim.is_multiple_of(8)
            && self.rotated.is_multiple_of(2)
            && self.rotated <= dim
            && self.width > 0
            && self.vocabulary > 0
            && self.feed_forward > 0
            && [self.width, queries, self.feed_forward]
                .iter()
                .all(|size| size.is_multiple_of(32))
    }

    /// Query heads that share a KV head.
    pub fn group(&self) -> usize {
        self.query_heads / self.kv_heads.max(1)
    }

    /// Where the activations lie.
    pub fn activations(&self) -> Activations {
        let queries = self.query_heads * self.dim / 4;
        let width = self.width / 4;
        let squares = 2 * width;
        let first = squares + self.width / 32;
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

    /// f32 that one split of one KV head leaves: largest logit and sum of each query head, the first empty slot, and what
    /// each query head attends to.
    pub fn partial(&self) -> usize {
        self.group() * (2 + self.dim) + 1
    }

    /// Workgroups that look for the largest logit.
    pub fn parts(&self) -> usize {
        self.vocabulary.div_ceil(PART)
    }
}
