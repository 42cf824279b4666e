//! Retained sets and attention outputs of the published implementation against the fused kernels'
//! in a real browser. There is a record of each strategy that evicts.

use kvscope::fused::Tuning;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::gpu;
use crate::support::recorded::Record;
use crate::support::recorded_model;

/// A page reads no files: they are part of it. `.cargo/config.toml` says where they are by default.
macro_rules! record {
    ($name:literal) => {
        Record::new(
            $name,
            include_bytes!(concat!(env!("KVSCOPE_FIXTURES"), "/", $name)),
        )
    };
}

#[wasm_bindgen_test]
async fn records_are_reproduced() {
    let gpu = gpu::shared().await;
    let records = [
        record!("13-h2o-h2o.safetensors"),
        record!("19-pyramidkv-slide.safetensors"),
        record!("20-pyramidkv-adaptive.safetensors"),
        record!("21-pyramidkv-discontinuous.safetensors"),
        record!("23-streamingllm-streamingllm.safetensors"),
    ];
    let tuning = Tuning::LIGHT.in_quads(gpu.shader_abilities());
    recorded_model::replay(&records, &gpu, tuning).await;
}
