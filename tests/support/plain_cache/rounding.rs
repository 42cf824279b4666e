//! The storage types h8 and h4 once more, in f64 and by definition. Hadamard matrices are
//! Kronecker products, codes are found by trying. Rows come back in the model's own basis, so that
//! attention needs no frame.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Positions that always have exact rows.
pub const FIRST: usize = 4;
/// Newest positions that have exact rows.
pub const NEWEST: usize = 16;

/// Distance from a tie of the decision that was nearest to one. It is in parts of a code's step or
/// of a score.
#[derive(Debug, Clone, Copy)]
pub struct Nearest(pub f64);

impl Nearest {
    pub fn note(&mut self, distance: f64) {
        self.0 = self.0.min(distance);
    }
}

/// Mean key and balance per channel of one head.
#[derive(Debug, Clone)]
pub struct PlainFrame {
    mean: Vec<f64>,
    balance: Vec<f64>,
}

impl PlainFrame {
    /// `keys` are those of all positions of the prompt, `queries` those of all heads of the group.
    pub fn of(keys: &[Vec<f64>], queries: &[Vec<f64>]) -> Self {
        let used = if keys.len() < 16 { keys } else { &keys[4..] };
        let dim = keys[0].len();
        let n = used.len() as f64;
        let channel = |c: usize| used.iter().map(move |key| key[c]);
        let mean: Vec<f64> = (0..dim).map(|c| channel(c).sum::<f64>() / n).collect();
        let variance: Vec<f64> = (0..dim)
            .map(|c| channel(c).map(|it| (it - mean[c]).powi(2)).sum::<f64>() / n)
            .collect();
        // A sum, not a mean: one factor for all channels changes nothing but f16's rounding.
        let squares: Vec<f64> = (0..dim)
            .map(|c| queries.iter().map(|query| query[c] * query[c]).sum())
            .collect();
        let average = |numbers: &[f64]| numbers.iter().sum::<f64>() / dim as f64;
        let size = (0..dim).map(|c| channel(c).map(|it| it * it).sum::<f64>() / n);
        let size = average(&size.collect::<Vec<f64>>());
        let least = 1e-4 * average(&variance) + 1e-6 * size;
        let least_square = 1e-4 * average(&squares);
        let balance = (0..dim)
            .map(|c| (squares[c].max(least_square) / variance[c].max(least)).powf(0.25))
            .collect();
        Self { mean, balance }
    }
}

/// Sylvester's matrix of the greatest order, a power of two up to 256, that divides `dim`.
fn hadamard(dim: usize) -> Arc<Vec<Vec<f64>>> {
    static KNOWN: Mutex<BTreeMap<usize, Arc<Vec<Vec<f64>>>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().expect("no thread panicked");
    known
        .entry(dim)
        .or_insert_with(|| Arc::new(sylvester(dim)))
        .clone()
}

fn sylvester(dim: usize) -> Vec<Vec<f64>> {
    let mut matrix = vec![vec![1.0]];
    while matrix.len() < 256 && dim.is_multiple_of(2 * matrix.len()) {
        let above = matrix.iter().map(|row| [row.clone(), row.clone()].concat());
        let below = matrix.iter().map(|row| {
            let negative: Vec<f64> = row.iter().map(|it| -it).collect();
            [row.clone(), negative].concat()
        });
        matrix = above.chain(below).collect();
    }
    let size = (matrix.len() as f64).sqrt();
    for element in matrix.iter_mut().flatten() {
        *element /= size;
    }
    matrix
}

fn turned(row: &[f64]) -> Vec<f64> {
    let matrix = hadamard(row.len());
    let parts = row.chunks(matrix.len());
    let product = |part: &[f64], by: &[f64]| part.iter().zip(by).map(|(a, b)| a * b).sum::<f64>();
    parts
        .flat_map(|part| matrix.iter().map(move |by| product(part, by)))
        .collect()
}

fn largest(row: &[f64]) -> f64 {
    row.iter().fold(0.0, |most, it| it.abs().max(most))
}

fn h8(row: &[f64], nearest: &mut Nearest) -> Vec<f64> {
    let step = largest(row) / 127.0;
    if step == 0.0 {
        return row.to_vec();
    }
    for element in row {
        nearest.note(((element / step).abs().fract() - 0.5).abs());
    }
    row.iter().map(|it| (it / step).round() * step).collect()
}

fn h4(row: &[f64], nearest: &mut Nearest) -> Vec<f64> {
    if largest(row) == 0.0 {
        return row.to_vec();
    }
    // The sixteen levels are -7.5, -6.5 and so on.
    let level = |it: f64| (it.floor() + 0.5).clamp(-7.5, 7.5);
    let mut tried: Vec<(f64, f64)> = (0..8)
        .map(|nth| {
            let step = largest(row) * (1.0 - 0.05 * f64::from(nth)) / 7.5;
            let off = row.iter().map(|it| (it - level(it / step) * step).powi(2));
            (off.sum(), step)
        })
        .collect();
    tried.sort_by(|a, b| a.0.total_cmp(&b.0));
    nearest.note(tried[1].0 / tried[0].0 - 1.0);
    let step = tried[0].1;
    for element in row {
        let at = element / step;
        // Between the outermost levels, boundaries are whole numbers. A step is 17 of h8's, so that
        // the same rounding of f32 is a smaller part of it.
        if at.abs() < 7.5 {
            nearest.note(16.0 * (at - at.round()).abs());
        }
    }
    row.iter().map(|it| level(it / step) * step).collect()
}

/// A row as stored, and as stored exactly, both in the model's basis.
#[derive(Debug, Clone)]
pub struct Stored {
    pub coarse: Vec<f64>,
    pub exact: Vec<f64>,
}

/// A key or value of the type `name`. Keys have a frame; values are only turned.
pub fn stored(
    name: &str,
    row: &[f64],
    frame: Option<&PlainFrame>,
    nearest: &mut Nearest,
) -> Stored {
    let codes: fn(&[f64], &mut Nearest) -> Vec<f64> = match name {
        "h8" => h8,
        "h4" => h4,
        _ => {
            let row = row.to_vec();
            return Stored {
                coarse: row.clone(),
                exact: row,
            };
        }
    };
    let dim = row.len();
    let number = |c: usize| frame.map_or((0.0, 1.0), |it| (it.mean[c], it.balance[c]));
    let framed: Vec<f64> = (0..dim)
        .map(|c| (row[c] - number(c).0) * number(c).1)
        .collect();
    let framed = turned(&framed);
    let back = |stored: &[f64]| {
        let row = turned(stored);
        (0..dim)
            .map(|c| row[c] / number(c).1 + number(c).0)
            .collect::<Vec<f64>>()
    };
    let coarse = back(&codes(&framed, nearest));
    let exact = if name == "h4" {
        back(&h8(&framed, nearest))
    } else {
        coarse.clone()
    };
    Stored { coarse, exact }
}
