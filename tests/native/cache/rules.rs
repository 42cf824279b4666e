//! Every rule against a slow, plain implementation, on the CPU and on the WebGPU device.

use crate::support::devices;
use crate::support::plain_cache::suite;

macro_rules! on {
    ($device:ident: $($name:ident),* $(,)?) => {
        mod $device {
            use super::*;
            $(#[test]
            fn $name() {
                pollster::block_on(suite::$name(&devices::$device()));
            })*
        }
    };
}

on!(flex:
    every_prefill_with_every_split_strategy,
    every_prefill_with_every_unified_strategy,
    short_prompts,
    prompts_about_their_budget,
    few_expected_tokens,
    one_layer_one_head,
    smallest_budgets,
    any_decay,
    average_pooling,
    recent_positions_beyond_the_window,
    many_evictions_at_once,
    prompts_in_pieces,
    later_turns,
    going_back,
    half_precision,
    clones_part,
    saved_caches_go_on,
    rounded_rows_of_every_rule,
    rounded_rows_through_turns,
    rounded_rows_of_short_prompts,
    rounded_rows_of_large_heads,
    rounded_rows_are_copied_and_saved,
    open_prompts_fork_to_rounded_rows,
);

on!(gpu:
    every_prefill_with_every_split_strategy,
    every_prefill_with_every_unified_strategy,
    short_prompts,
    prompts_about_their_budget,
    few_expected_tokens,
    one_layer_one_head,
    smallest_budgets,
    any_decay,
    average_pooling,
    recent_positions_beyond_the_window,
    many_evictions_at_once,
    prompts_in_pieces,
    later_turns_of_every_method_once,
    going_back_with_every_method_once,
    half_precision,
    clones_part,
    saved_caches_go_on,
    rounded_rows_through_turns,
    rounded_rows_of_short_prompts,
    rounded_rows_of_large_heads,
    rounded_rows_are_copied_and_saved,
    open_prompts_fork_to_rounded_rows,
);
