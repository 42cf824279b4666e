//! The rules of design.md once more, as slowly and plainly as possible: lists of positions, f64
//! arithmetic, sorting. It shares nothing with the crate; where both agree, both read the rules the
//! same way.

use super::rounding::{FIRST, NEWEST, Nearest, PlainFrame, Stored, stored};

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

/// Keys or values, of which a row is one.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Key,
    Value,
}

/// One token's slot in one head.
#[derive(Debug, Clone)]
struct Entry {
    position: usize,
    key: Stored,
    value: Stored,
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
    /// Per head, once the first prompt has ended.
    frames: Vec<PlainFrame>,
    /// No earlier position has exact rows, but for the first.
    exact_from: usize,
}

/// A whole cache.
#[derive(Debug, Clone)]
pub struct PlainCache {
    rules: PlainRules,
    layers: Vec<Layer>,
    /// Storage types of keys and values, by name.
    types: [String; 2],
    nearest: Nearest,
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
            types: ["f32", "f32"].map(str::to_owned),
            nearest: Nearest(f64::INFINITY),
        }
    }

    /// The same cache with rows rounded as these storage types of keys and values do.
    pub fn rounded(self, types: [&str; 2]) -> Self {
        Self {
            types: types.map(str::to_owned),
            ..self
        }
    }

    pub fn rules(&self) -> &PlainRules {
        &self.rules
    }

    /// The nearest tie of a row's codes. Keys of a first prompt have no frame yet, and no tie.
    pub fn nearest_of(&self, layer: usize, head: usize, part: Part, row: &[f32]) -> f64 {
        let mut nearest = Nearest(f64::INFINITY);
        let frame = self.layers[layer].frames.get(head);
        match (part, frame) {
            (Part::Key, None) => {}
            (Part::Key, _) => drop(stored(&self.types[0], &wide(row), frame, &mut nearest)),
            (Part::Value, _) => drop(stored(&self.types[1], &wide(row), None, &mut nearest)),
        }
        nearest.0
    }

    /// The nearest tie since this was asked last.
    pub fn take_nearest(&mut self) -> f64 {
        std::mem::replace(&mut self.nearest, Nearest(f64::INFINITY)).0
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
        let [key_type, value_type] = &self.types;
        let nearest = &mut self.nearest;
        let state = &mut self.layers[layer];
        let first = state.seen;
        // A first prompt is stored as it is until its end.
        let opening = first == 0;
        if opening {
            state.frames.clear();
        } else {
            state.exact_from = state.exact_from.max(first.saturating_sub(NEWEST));
        }
        let exact_from = state.exact_from;
        let mut output = vec![0.0; queries.len()];
        for head in 0..rules.kv_heads {
            for token in 0..count {
                let row = (head * count + token) * dim;
                let (key, value) = (wide(&keys[row..row + dim]), wide(&values[row..row + dim]));
                let types = if opening {
                    ["f32", "f32"]
                } else {
                    [&**key_type, &**value_type]
                };
                let frame = state.frames.get(head);
                state.heads[head].push(Entry {
                    position: first + token,
                    key: stored(types[0], &key, frame, nearest),
                    value: stored(types[1], &value, None, nearest),
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
                    let probabilities =
                        softmax(&wide(&queries[row..row + dim]), &visible, exact_from);
                    for (slot, probability) in probabilities.iter().enumerate() {
                        all[slot] += probability / group as f64;
                        if token + window_queries >= count {
                            window[slot] += probability / group as f64;
                        }
                    }
                    weigh(
                        &probabilities,
                        &visible,
                        exact_from,
                        &mut output[row..row + dim],
                    );
                }
            }
            if opening {
                let own = (head * count * dim..(head + 1) * count * dim).step_by(dim);
                let own: Vec<_> = own.map(|row| wide(&keys[row..row + dim])).collect();
                let asked = head * group * count * dim..(head + 1) * group * count * dim;
                let asked: Vec<_> = queries[asked].chunks(dim).map(wide).collect();
                state.frames.push(PlainFrame::of(&own, &asked));
            }
            state.heads[head] = rules.keep_of_prompt(layer, held, &all, &window, nearest);
            if opening {
                let frame = &state.frames[head];
                for entry in &mut state.heads[head] {
                    entry.key = stored(key_type, &entry.key.exact, Some(frame), nearest);
                    entry.value = stored(value_type, &entry.value.exact, None, nearest);
                }
            }
            state.kept[head] = state.heads[head].len();
        }
        state.seen += count;
        state.exact_from = state.exact_from.max(state.seen.saturating_sub(NEWEST));
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
            state.exact_from = state.exact_from.min(length);
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
        let [key_type, value_type] = &self.types;
        let nearest = &mut self.nearest;
        let state = &mut self.layers[layer];
        let position = state.seen;
        let step = position - state.prompt_end;
        state.seen += 1;
        state.exact_from = state.exact_from.max(state.seen.saturating_sub(NEWEST));
        let exact_from = state.exact_from;
        state.skipped_before.push(state.skipped);
        let mut output = vec![0.0; query.len()];
        let mut scores = Vec::new();
        for head in 0..rules.kv_heads {
            let row = head * dim;
            state.heads[head].push(Entry {
                position,
                key: stored(
                    key_type,
                    &wide(&key[row..row + dim]),
                    state.frames.get(head),
                    nearest,
                ),
                value: stored(value_type, &wide(&value[row..row + dim]), None, nearest),
                attention: 0.0,
            });
            let visible: Vec<&Entry> = state.heads[head].iter().collect();
            let mut score = vec![0.0; visible.len()];
            for member in 0..group {
                let row = (head * group + member) * dim;
                let probabilities = softmax(&wide(&query[row..row + dim]), &visible, exact_from);
                for (slot, probability) in probabilities.iter().enumerate() {
                    score[slot] += probability / group as f64;
                }
                weigh(
                    &probabilities,
                    &visible,
                    exact_from,
                    &mut output[row..row + dim],
                );
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
            let chosen = largest(&score[from..until], stay, nearest);
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
        nearest: &mut Nearest,
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
        let chosen = largest(&score, stay, nearest);
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
fn largest(scores: &[f64], count: usize, nearest: &mut Nearest) -> Vec<usize> {
    let mut slots: Vec<usize> = (0..scores.len()).collect();
    slots.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    if 0 < count && count < slots.len() {
        let (last, next) = (scores[slots[count - 1]], scores[slots[count]]);
        // Pooled scores of neighbours are equal in any precision.
        if last > next {
            nearest.note((last - next) / last.abs());
        }
    }
    slots.truncate(count);
    slots
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

impl Stored {
    /// The row of `position` as it is read.
    fn read(&self, position: usize, exact_from: usize) -> &[f64] {
        if position < FIRST || position >= exact_from {
            &self.exact
        } else {
            &self.coarse
        }
    }
}

fn softmax(query: &[f64], held: &[&Entry], exact_from: usize) -> Vec<f64> {
    let scale = 1.0 / (query.len() as f64).sqrt();
    let logits: Vec<f64> = held
        .iter()
        .map(|entry| {
            let key = entry.key.read(entry.position, exact_from);
            key.iter().zip(query).map(|(a, b)| a * b).sum::<f64>() * scale
        })
        .collect();
    let most = logits.iter().copied().fold(f64::MIN, f64::max);
    let exponentials: Vec<f64> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|value| value / sum).collect()
}

fn weigh(probabilities: &[f64], held: &[&Entry], exact_from: usize, output: &mut [f64]) {
    for (probability, entry) in probabilities.iter().zip(held) {
        let row = entry.value.read(entry.position, exact_from);
        for (sum, value) in output.iter_mut().zip(row) {
            *sum += probability * value;
        }
    }
}
