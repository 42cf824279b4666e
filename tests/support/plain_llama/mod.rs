//! The Llama family computed slowly, in f64, straight from the papers: the truth for the tests of
//! models. Shares nothing with the library.
//!
//! A layer is x + attention(norm(x)), then x + feed_forward(norm(x)). RMSNorm: Zhang and Sennrich
//! 2019, eq. 4. RoPE: Su et al., arXiv 2104.09864, eq. 34. Grouped-query attention: Ainslie et al.,
//! arXiv 2305.13245. SwiGLU: Shazeer, arXiv 2002.05202, eq. 6. Qwen2's biases: arXiv 2407.10671;
//! Qwen3's norms of queries and keys: arXiv 2505.09388.

pub mod frequencies;

/// `[outputs][inputs]`.
pub type Matrix = Vec<Vec<f64>>;

/// A whole model.
#[derive(Debug, Clone)]
pub struct PlainLlama {
    pub head_dim: usize,
    pub epsilon: f64,
    pub turning: Turning,
    /// `[vocabulary][width]`
    pub embedding: Matrix,
    pub layers: Vec<PlainLayer>,
    pub norm: Vec<f64>,
    /// `[vocabulary][width]`; the embedding where there is none.
    pub output: Option<Matrix>,
}

#[derive(Debug, Clone)]
pub struct PlainLayer {
    pub attention_norm: Vec<f64>,
    pub query: Projection,
    pub key: Projection,
    pub value: Projection,
    pub attention_output: Matrix,
    pub feed_forward_norm: Vec<f64>,
    pub gate: Matrix,
    pub up: Matrix,
    pub down: Matrix,
}

#[derive(Debug, Clone)]
pub struct Projection {
    pub matrix: Matrix,
    pub bias: Option<Vec<f64>>,
    /// Of each head.
    pub norm: Option<Vec<f64>>,
}

/// RoPE.
#[derive(Debug, Clone)]
pub struct Turning {
    /// Radians per position, one per pair of elements.
    pub frequencies: Vec<f64>,
    /// True if elements 2i and 2i + 1 are a pair, false for i and i + pairs.
    pub neighbours: bool,
}

impl PlainLlama {
    /// The logits at every position, each `[vocabulary]`.
    pub fn logits(&self, tokens: &[u32]) -> Vec<Vec<f64>> {
        let mut hidden = self.embedded(tokens);
        for layer in &self.layers {
            self.apply(layer, &mut hidden);
        }
        hidden.iter().map(|row| self.logits_of(row)).collect()
    }

    /// The hidden states before the first layer.
    pub fn embedded(&self, tokens: &[u32]) -> Vec<Vec<f64>> {
        let row = |token: &u32| self.embedding[*token as usize].clone();
        tokens.iter().map(row).collect()
    }

    /// The logits of the hidden state after the last layer.
    pub fn logits_of(&self, row: &[f64]) -> Vec<f64> {
        let output = self.output.as_ref().unwrap_or(&self.embedding);
        times(output, &rms_norm(row, &self.norm, self.epsilon))
    }

    fn apply(&self, layer: &PlainLayer, hidden: &mut [Vec<f64>]) {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (position, row) in hidden.iter_mut().enumerate() {
            let [queries, own_keys, own_values] = self.projected(layer, row, position);
            keys.push(own_keys);
            values.push(own_values);

            let group = queries.len() / keys[0].len();
            let attended = queries.iter().enumerate().flat_map(|(head, query)| {
                let of = |all: &[Vec<Vec<f64>>]| -> Matrix {
                    all.iter()
                        .map(|heads| heads[head / group].clone())
                        .collect()
                };
                attention(query, &of(&keys), &of(&values))
            });
            let attended: Vec<f64> = attended.collect();
            self.add_rest(layer, row, &attended);
        }
    }

    /// Queries, keys and values of a hidden state, head by head.
    pub fn projected(&self, layer: &PlainLayer, row: &[f64], position: usize) -> [Matrix; 3] {
        let normed = rms_norm(row, &layer.attention_norm, self.epsilon);
        let turned = |projection: &Projection| -> Matrix {
            let heads = self.heads(projection, &normed);
            let turn = |head| self.turning.turn(head, position);
            heads.into_iter().map(turn).collect()
        };
        let values = self.heads(&layer.value, &normed);
        [turned(&layer.query), turned(&layer.key), values]
    }

    /// Adds to a hidden state all of a layer that follows from its attention.
    pub fn add_rest(&self, layer: &PlainLayer, row: &mut [f64], attended: &[f64]) {
        add(row, &times(&layer.attention_output, attended));
        let normed = rms_norm(row, &layer.feed_forward_norm, self.epsilon);
        let (gate, up) = (times(&layer.gate, &normed), times(&layer.up, &normed));
        let silu = gate.iter().map(|x| x / (1.0 + (-x).exp()));
        let inner: Vec<f64> = silu.zip(up).map(|(gate, up)| gate * up).collect();
        add(row, &times(&layer.down, &inner));
    }

    pub fn heads(&self, projection: &Projection, input: &[f64]) -> Vec<Vec<f64>> {
        let mut projected = times(&projection.matrix, input);
        if let Some(bias) = &projection.bias {
            add(&mut projected, bias);
        }
        let heads = projected.chunks_exact(self.head_dim);
        heads
            .map(|head| match &projection.norm {
                Some(weight) => rms_norm(head, weight, self.epsilon),
                None => head.to_vec(),
            })
            .collect()
    }
}

impl Turning {
    /// Each pair by its frequency times the position; elements beyond the pairs stay.
    pub fn turn(&self, mut head: Vec<f64>, position: usize) -> Vec<f64> {
        let pairs = self.frequencies.len();
        for (pair, frequency) in self.frequencies.iter().enumerate() {
            let (i, j) = if self.neighbours {
                (2 * pair, 2 * pair + 1)
            } else {
                (pair, pair + pairs)
            };
            let (sine, cosine) = (position as f64 * frequency).sin_cos();
            let (x, y) = (head[i], head[j]);
            head[i] = x * cosine - y * sine;
            head[j] = x * sine + y * cosine;
        }
        head
    }
}

/// Softmax of the query on every key, over the values.
pub fn attention(query: &[f64], keys: &[Vec<f64>], values: &[Vec<f64>]) -> Vec<f64> {
    let scale = (query.len() as f64).sqrt();
    let scores = keys.iter().map(|key| dot(query, key) / scale);
    let exponentials: Vec<f64> = scores.map(f64::exp).collect();
    let sum: f64 = exponentials.iter().sum();
    let mut attended = vec![0.0; query.len()];
    for (exponential, value) in exponentials.iter().zip(values) {
        for (element, value) in attended.iter_mut().zip(value) {
            *element += exponential / sum * value;
        }
    }
    attended
}

pub fn rms_norm(input: &[f64], weight: &[f64], epsilon: f64) -> Vec<f64> {
    assert_eq!(input.len(), weight.len());
    let root = (dot(input, input) / input.len() as f64 + epsilon).sqrt();
    let pairs = input.iter().zip(weight);
    pairs
        .map(|(element, weight)| element / root * weight)
        .collect()
}

fn times(matrix: &Matrix, input: &[f64]) -> Vec<f64> {
    matrix.iter().map(|row| dot(row, input)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], what: &[f64]) {
    assert_eq!(to.len(), what.len());
    to.iter_mut().zip(what).for_each(|(to, what)| *to += what);
}
