//! What a cache policy costs in quality.
//!
//! **Fidelity**: an [example](Example)'s prompt and its gold answer are fed under every policy (teacher forcing), and what
//! the model says is [compared](Reference) with what it says under a full cache, at every position of the answer. Over
//! examples, an [`interval`] by the bootstrap says how far the mean is to be trusted.

mod bootstrap;
mod divergence;
mod fidelity;
mod outcome;
pub mod trace;

pub use bootstrap::{Interval, Weighted, interval, mean};
pub use divergence::{Divergence, Reference};
pub use fidelity::{Example, Fidelity};
pub use outcome::{Outcome, PARTS, Tally};
