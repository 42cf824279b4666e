//! Retained sets and attention outputs of the published implementation, recorded step by step,
//! against those of the fused kernels. The prompts run on the prompt's kernels.
//!
//! `KVSCOPE_FIXTURES` names the folder with the records, by default `../shared/fixtures`.

use kvscope::fused::Tuning;

use crate::support::devices;
use crate::support::recorded;
use crate::support::recorded::Record;
use crate::support::recorded_model;

fn replay(records: impl Iterator<Item = Record>, tuning: Tuning) {
    let records: Vec<Record> = records.collect();
    pollster::block_on(recorded_model::replay(&records, devices::opened(), tuning));
}

#[test]
fn every_other_record_is_reproduced() {
    let abilities = devices::opened().shader_abilities();
    let tuning = Tuning::LIGHT.in_quads(abilities);
    replay(recorded::all().step_by(2), tuning);
}

#[test]
fn the_records_between_are_reproduced() {
    replay(recorded::all().skip(1).step_by(2), Tuning::SERIAL);
}

/// By far the slowest way on a CPU. There is a record per kind of rule: by scores among decoded
/// positions, by scores among all, by position.
#[test]
fn records_are_reproduced_in_parallel() {
    let decodes = ["pyramidkv slide", "h2o h2o", "streamingllm streamingllm"];
    let some = recorded::all().filter(|record| {
        let rules = &record.rules;
        decodes.contains(&format!("{} {}", rules.prefill, rules.decode).as_str())
    });
    replay(some, Tuning::PARALLEL);
}
