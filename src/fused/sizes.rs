//! The sizes that a decode step's shaders are rendered for.

use crate::cache::CacheTypes;
use crate::kernels::block_source::GROUP;
use crate::model::NormPlaces;

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
    /// Storage types of keys and values.
    pub types: CacheTypes,
    /// Features beyond Llama's layer.
    pub features: Features,
}

/// Features of a model beyond Llama's layer; [`LLAMA`](Self::LLAMA) has none of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Features {
    /// Places of the norms.
    pub norms: NormPlaces,
    /// `true` if all queries have one norm, and all keys.
    pub norms_of_all_heads: bool,
    /// `true` if the feed-forward's activation is GELU.
    pub gelu: bool,
    /// Factor of the embedding's rows.
    pub embedding_scale: f32,
    /// Factor of what attention and feed-forward add.
    pub residual_scale: f32,
    /// Factor of the logits.
    pub logit_scale: f32,
    /// RoPEs that layers choose from.
    pub ropes: usize,
    /// `true` if queries grow with the position.
    pub query_growth: bool,
}

impl Features {
    /// Llama's.
    pub const LLAMA: Self = Self {
        norms: NormPlaces::Before,
        norms_of_all_heads: false,
        gelu: false,
        embedding_scale: 1.0,
        residual_scale: 1.0,
        logit_scale: 1.0,
        ropes: 1,
        query_growth: false,
    };

    /// `true` if there are norms after attention and feed-forward.
    pub fn post_norms(&self) -> bool {
        self.norms != NormPlaces::Before
    }
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
    /// `[2 * kv_heads, dim]`: the new key and value before a frame or a norm of all heads, if there
    /// is one.
    pub new_rows: usize,
    /// `[width]`: what attention or feed-forward adds, on its way into a norm, if there is one.
    pub added: usize,
    /// `[width / 32, 4]`: its squares, as those of the hidden state.
    pub added_squares: usize,
    /// `[query_heads + 2 * kv_heads, 4]`: the sum of squares of each head, if all heads have one
    /// norm.
    pub head_squares: usize,
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
            && self.types.each().iter().all(|one| {
                let format = one.row_format();
                (format.words)(dim).is_some() && dim.is_multiple_of((format.unit)(dim).max(4))
            })
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

    /// `true` if keys or values are stored in a frame.
    pub fn in_frame(&self) -> bool {
        self.types.each().iter().any(|one| one.framed())
    }

    /// Offsets of the activations.
    pub fn activations(&self) -> Activations {
        let queries = self.query_heads * self.dim / 4;
        let width = self.width / 4;
        let squares = 2 * width;
        let first = squares + self.width / GROUP;
        let new_rows = first + 2 * queries + self.feed_forward / 4;
        let rows = if self.in_frame() || self.features.norms_of_all_heads {
            self.kv_heads * self.dim / 2
        } else {
            0
        };
        let added = new_rows + rows;
        let added_squares = added + width;
        let head_squares = if self.features.post_norms() {
            added_squares + self.width / GROUP
        } else {
            added
        };
        Activations {
            hidden: 0,
            weighted: width,
            squares,
            queries: first,
            attended: first + queries,
            feed_forward: first + 2 * queries,
            new_rows,
            added,
            added_squares,
            head_squares,
            vectors: if self.features.norms_of_all_heads {
                head_squares + self.query_heads + 2 * self.kv_heads
            } else {
                head_squares
            },
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
