//! The summary for people, on the standard error.

use std::fmt;

use kvscope::generate::{FinishReason, Summary};

/// A few lines of speed and memory.
pub struct Lines<'a>(pub &'a Summary);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            prompt_tokens,
            cached_tokens,
            new_tokens,
            prefill_ms,
            decode_ms,
            prefill_tokens_per_second,
            decode_tokens_per_second,
            memory,
            slots,
            past_context,
            finish,
        } = self.0;
        let held = match cached_tokens {
            0 => String::new(),
            held => format!(", {held} of them held,"),
        };
        writeln!(
            formatter,
            "prompt  {prompt_tokens} tokens{held} in {:.2} s ({prefill_tokens_per_second:.1} a second)",
            prefill_ms / 1000.0
        )?;
        writeln!(
            formatter,
            "new     {new_tokens} tokens in {:.2} s ({decode_tokens_per_second:.1} a second), {}",
            decode_ms / 1000.0,
            ended(*finish)
        )?;
        let share = |saved: i64, of: u64| 100.0 * saved as f64 / of.max(1) as f64;
        writeln!(
            formatter,
            "cache   {} held, {} with a full cache in f16: {:.0} % saved",
            Megabytes(memory.held_bytes),
            Megabytes(memory.full_bytes),
            share(memory.saved_bytes(), memory.full_bytes)
        )?;
        writeln!(
            formatter,
            "        {} at most, {} with a full cache in f16",
            Megabytes(memory.held_high_water),
            Megabytes(memory.full_high_water)
        )?;
        write!(
            formatter,
            "        at most {} slots a head of the prompt and {} of what followed",
            slots.prefill, slots.decode
        )?;
        if *past_context {
            write!(
                formatter,
                "\n        the text went on beyond the model's context"
            )?;
        }
        Ok(())
    }
}

fn ended(finish: Option<FinishReason>) -> &'static str {
    match finish {
        Some(FinishReason::StopToken) => "ended by the model",
        Some(FinishReason::StopString) => "ended at a stop string",
        Some(FinishReason::Length) => "as many as were asked for",
        Some(FinishReason::Cancelled) => "cancelled",
        None => "ended by an error",
    }
}

/// Bytes in megabytes.
pub struct Megabytes(pub u64);

impl fmt::Display for Megabytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.2} MB", self.0 as f64 / 1e6)
    }
}
