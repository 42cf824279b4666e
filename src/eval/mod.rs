//! Quality cost of a cache policy.
//!
//! **Fidelity** feeds an [example](Example)'s prompt and its gold answer under every policy
//! (teacher forcing). At every position of the answer it [compares](Reference) the model's
//! distribution with that under a full cache. Over examples, a bootstrap [`interval`] shows how far
//! to trust the mean.

mod bootstrap;
mod divergence;
mod fidelity;
mod outcome;
mod steps;
pub mod trace;

pub use bootstrap::{Interval, Weighted, interval, mean};
pub use divergence::{Divergence, Reference};
pub use fidelity::{Example, Fidelity};
pub use outcome::{Outcome, PARTS, Tally};
