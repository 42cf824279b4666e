//! The rules of design.md once more, as slowly and plainly as possible: lists of positions, f64
//! arithmetic, sorting. It shares nothing with the crate; where both agree, both read the rules the
//! same way.

/// The numbers and names of a cache, as the fixtures' metadata has them.
#[derive(Debug, Clone)]
pub struct PlainRules {
    pub layers: usize,
    pub query_heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub prefill: String,
    pub prefill_budget: usize,
    pub window: usize,
    pub kernel: usize,
    pub pooling: String,
    pub beta: usize,
    pub decode: String,
    pub decode_budget: usize,
    pub recent: usize,
    pub max_new_tokens: usize,
    /// Weight of a step's attention at the next step, where the attention of all steps counts.
    pub decay: f64,
}

/// One token's slot in one head.
#[derive(Debug, Clone)]
struct Entry {
    position: usize,
    key: Vec<f64>,
    value: Vec<f64>,
    /// The attention of the turn's steps so far, the older the less.
    attention: f64,
}

#[derive(Debug, Clone, Default)]
struct Layer {
    heads: Vec<Vec<Entry>>,
    /// P a head.
    kept: Vec<usize>,
    seen: usize,
    prompt_end: usize,
    skipped: usize,
    /// `skipped` before every step of the turn.
    skipped_before: Vec<usize>,
}

/// A whole cache.
#[derive(Debug, Clone)]
pub struct PlainCache {
    rules: PlainRules,
    layers: Vec<Layer>,
}

impl PlainCache {
    pub fn new(rules: PlainRules) -> Self {
        let layer = Layer {
            heads: vec![Vec::new(); rules.kv_heads],
            kept: vec![0; rules.kv_heads],
            ..Layer::default()
        };
        Self {
            layers: vec![layer; rules.layers],
            rules,
        }
    }

    pub fn positions(&self, layer: usize, head: usize) -> Vec<usize> {
        let held = &self.layers[layer].heads[head];
        held.iter().map(|entry| entry.position).collect()
    }

    /// `queries` `[query_heads][n][head_dim]`, `keys` and `values` `[kv_heads][n][head_dim]`, flat.
    /// The attention output in the queries' order.
    pub fn prefill(
        &mut self,
        layer: usize,
        queries: &[f32],
        keys: &[f32],
        values: &[f32],
    ) -> Vec<f64> {
        let rules = self.rules.clone();
        let dim = rules.head_dim;
        let count = keys.len() / (rules.kv_heads * dim);
        let group = rules.query_heads / rules.kv_heads;
        let state = &mut self.layers[layer];
        let first = state.seen;
        let mut output = vec![0.0; queries.len()];
        for head in 0..rules.kv_heads {
            for token in 0..count {
                let row = (head * count + token) * dim;
                state.heads[head].push(Entry {
                    position: first + token,
                    key: wide(&keys[row..row + dim]),
                    value: wide(&values[row..row + dim]),
                    attention: 0.0,
                });
            }
            let held = state.heads[head].clone();
            let n = held.len();
            let window_queries = rules.window.min(count);
            let mut all = vec![0.0; n];
            let mut window = vec![0.0; n];
            for token in 0..count {
                let visible: Vec<&Entry> = held
                    .iter()
                    .filter(|entry| entry.position <= first + token)
                    .collect();
                for member in 0..group {
                    let row = ((head * group + member) * count + token) * dim;
                    let probabilities = softmax(&wide(&queries[row..row + dim]), &visible);
                    for (slot, probability) in probabilities.iter().enumerate() {
                        all[slot] += probability / group as f64;
                        if token + window_queries >= count {
                            window[slot] += probability / group as f64;
                        }
                    }
                    weigh(&probabilities, &visible, &mut output[row..row + dim]);
                }
            }
            state.heads[head] = rules.keep_of_prompt(layer, held, &all, &window);
            state.kept[head] = state.heads[head].len();
        }
        state.seen += count;
        state.prompt_end = state.seen;
        state.skipped = 0;
        state.skipped_before.clear();
        output
    }

    /// Forgets every position from `length` on.
    pub fn truncate(&mut self, length: usize) {
        for state in &mut self.layers {
            if state.seen <= length {
                continue;
            }
            for held in &mut state.heads {
                held.retain(|entry| entry.position < length);
            }
            state.seen = length;
            if length < state.prompt_end {
                state.prompt_end = length;
                state.kept = state.heads.iter().map(Vec::len).collect();
                state.skipped = 0;
                state.skipped_before.clear();
            } else {
                let step = length - state.prompt_end;
                state.skipped = state.skipped_before[step];
                state.skipped_before.truncate(step);
            }
        }
    }

    /// One token: `query` `[query_heads][head_dim]`, `key` and `value` `[kv_heads][head_dim]`,
    /// flat.
    pub fn step(&mut self, layer: usize, query: &[f32], key: &[f32], value: &[f32]) -> Vec<f64> {
        let rules = self.rules.clone();
        let dim = rules.head_dim;
        let group = rules.query_heads / rules.kv_heads;
        let state = &mut self.layers[layer];
        let position = state.seen;
        let step = position - state.prompt_end;
        state.seen += 1;
        state.skipped_before.push(state.skipped);
        let mut output = vec![0.0; query.len()];
        let mut scores = Vec::new();
        for head in 0..rules.kv_heads {
            let row = head * dim;
            state.heads[head].push(Entry {
                position,
                key: wide(&key[row..row + dim]),
                value: wide(&value[row..row + dim]),
                attention: 0.0,
            });
            let visible: Vec<&Entry> = state.heads[head].iter().collect();
            let mut score = vec![0.0; visible.len()];
            for member in 0..group {
                let row = (head * group + member) * dim;
                let probabilities = softmax(&wide(&query[row..row + dim]), &visible);
                for (slot, probability) in probabilities.iter().enumerate() {
                    score[slot] += probability / group as f64;
                }
                weigh(&probabilities, &visible, &mut output[row..row + dim]);
            }
            for (entry, score) in state.heads[head].iter_mut().zip(&mut score) {
                let before = if step == 0 { 0.0 } else { entry.attention };
                entry.attention = rules.decay * before + *score;
                if rules.decode.starts_with("decayed-") {
                    *score = entry.attention;
                }
            }
            scores.push(score);
        }

        let b1 = rules.decode_budget - rules.recent.min(rules.decode_budget);
        let b2 = rules.recent;
        let delta = (rules.max_new_tokens.saturating_sub(b2) / b1.max(1)).max(1);
        let now = step / delta;
        if rules.decode == "discontinuous" {
            let would = (0..rules.kv_heads)
                .any(|head| state.heads[head].len().saturating_sub(state.kept[head]) >= b2 + now);
            if !would {
                return output;
            }
            state.skipped += 1;
            if state.skipped <= delta {
                return output;
            }
            state.skipped = 0;
        }
        for (head, score) in scores.into_iter().enumerate() {
            let held = state.heads[head].clone();
            let p = state.kept[head];
            let d = held.len() - p.min(held.len());
            // The first slot that may go, how many of the older ones stay, how many newest are
            // safe.
            let (from, stay, newest) = match rules.decode.trim_start_matches("decayed-") {
                "slide" if d > rules.decode_budget => (p, b1, b2),
                "adaptive" | "discontinuous" if d >= b2 + now => (p, now, b2),
                "h2o" if d > rules.decode_budget => (0, p + b1, b2),
                "streamingllm" if held.len() > p + b1 + b2 => (0, p + b1, b2),
                "pyramidinfer" => {
                    let m = (rules.prefill_budget + b1) / 2;
                    let large = 2 * (rules.prefill_budget + b1) - m;
                    let c = large - layer * ((large - m) / rules.layers);
                    if held.len() <= c + b2 {
                        continue;
                    }
                    (0, c, b2)
                }
                "tova" if held.len() > p + rules.decode_budget => (0, p + rules.decode_budget, 0),
                _ => continue,
            };
            let score = if rules.decode == "streamingllm" {
                (0..held.len()).map(|slot| -(slot as f64)).collect()
            } else {
                score
            };
            let until = held.len() - newest.min(held.len());
            let chosen = largest(&score[from..until], stay);
            state.heads[head] = held
                .into_iter()
                .enumerate()
                .filter(|(slot, _)| {
                    *slot < from || *slot >= until || chosen.contains(&(slot - from))
                })
                .map(|(_, entry)| entry)
                .collect();
        }
        output
    }
}

impl PlainRules {
    fn keep_of_prompt(
        &self,
        layer: usize,
        held: Vec<Entry>,
        all: &[f64],
        window: &[f64],
    ) -> Vec<Entry> {
        let n = held.len();
        let (a, w) = (self.prefill_budget, self.window);
        if n < a || self.prefill == "full" {
            return held;
        }
        let before = n - w;
        let mut stay = a - w;
        if self.prefill.starts_with("pyramid") && n >= 2 * (a - w) {
            let mut m = (a - w) / self.beta;
            let mut large = 2 * (a - w) - m;
            if large >= before {
                large = before;
                m = 2 * (a - w) - large;
            }
            stay = large - layer * ((large - m) / self.layers);
        }
        let score: Vec<f64> = match self.prefill.as_str() {
            "streamingllm" => (0..before).map(|slot| -(slot as f64)).collect(),
            "h2o" | "pyramidinfer" => all[..before].to_vec(),
            _ => self.pool(&window[..before]),
        };
        let chosen = largest(&score, stay);
        held.into_iter()
            .enumerate()
            .filter(|(slot, _)| *slot >= before || chosen.contains(slot))
            .map(|(_, entry)| entry)
            .collect()
    }

    fn pool(&self, scores: &[f64]) -> Vec<f64> {
        let half = self.kernel as isize / 2;
        (0..scores.len() as isize)
            .map(|middle| {
                let under = (middle - half..=middle + half)
                    .filter_map(|slot| scores.get(usize::try_from(slot).ok()?));
                if self.pooling == "maxpool" {
                    under.copied().fold(f64::MIN, f64::max)
                } else {
                    under.sum::<f64>() / self.kernel as f64
                }
            })
            .collect()
    }
}

/// The `count` slots with the largest scores; of equal ones the earlier.
fn largest(scores: &[f64], count: usize) -> Vec<usize> {
    let mut slots: Vec<usize> = (0..scores.len()).collect();
    slots.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    slots.truncate(count);
    slots
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

fn softmax(query: &[f64], held: &[&Entry]) -> Vec<f64> {
    let scale = 1.0 / (query.len() as f64).sqrt();
    let logits: Vec<f64> = held
        .iter()
        .map(|entry| entry.key.iter().zip(query).map(|(a, b)| a * b).sum::<f64>() * scale)
        .collect();
    let most = logits.iter().copied().fold(f64::MIN, f64::max);
    let exponentials: Vec<f64> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|value| value / sum).collect()
}

fn weigh(probabilities: &[f64], held: &[&Entry], output: &mut [f64]) {
    for (probability, entry) in probabilities.iter().zip(held) {
        for (sum, value) in output.iter_mut().zip(&entry.value) {
            *sum += probability * value;
        }
    }
}
