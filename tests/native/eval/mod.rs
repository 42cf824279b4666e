//! Measuring policies: their distance from the full cache, and the trace task.

mod fidelity;
mod trace;
