//! Generating text: prompts, the loop, the choice of tokens, and its end.

mod chunks;
mod generation;
mod loss;
mod prompts;
mod sampling;
mod stop;
