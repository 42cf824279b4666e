//! The GPU, its loss and the kernels in a real browser: `cargo xtask test --only wasm`.

use burn::tensor::Tensor;
use js_sys::{Array, Function, Promise, Reflect};
use kvscope::bindings::constructor_runs;
use kvscope::device::{Gpu, GpuError, GpuFeature, GpuOptions, LossReason};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::gpu;
use crate::support::kernels;

#[wasm_bindgen_test]
async fn rms_norm_equals_plain_tensors() {
    kernels::rms_norm_equals_plain_tensors(&gpu::shared().await).await;
}

#[wasm_bindgen_test]
async fn rms_norm_takes_views() {
    kernels::rms_norm_takes_views(&gpu::shared().await).await;
}

#[wasm_bindgen_test]
async fn rms_norm_refuses_what_does_not_fit() {
    kernels::rms_norm_refuses_what_does_not_fit(&gpu::shared().await);
}

#[wasm_bindgen_test]
async fn packed_f16_equals_half() {
    kernels::packed_f16_equals_half(&gpu::shared().await).await;
}

#[wasm_bindgen_test]
async fn block_matrix_equals_dequantised() {
    kernels::block_matrix_equals_dequantised(&gpu::shared().await).await;
}

#[wasm_bindgen_test]
async fn joined_matrices_stay_themselves() {
    kernels::joined_matrices_stay_themselves(&gpu::shared().await).await;
}

#[wasm_bindgen_test]
async fn rope_turns_pairs() {
    kernels::rope_turns_pairs(&gpu::shared().await).await;
}

#[wasm_bindgen_test]
async fn attention_equals_its_definition() {
    kernels::attention_equals_its_definition(&gpu::shared().await).await;
}

#[wasm_bindgen_test]
async fn prompt_attention_equals_its_definition() {
    kernels::prompt_attention_equals_its_definition(&gpu::shared().await).await;
}

#[wasm_bindgen_test]
async fn static_constructors_run_once() {
    let gpu = gpu::shared().await;
    for _ in 0..10 {
        let sum = Tensor::<1>::ones([8], gpu.device()).sum();
        gpu.read(sum).await.unwrap();
    }
    assert_eq!(constructor_runs(), 1);
}

/// wgpu alone asks for no subgroups in the browser; burn's own kernels must go on working beside
/// them.
#[wasm_bindgen_test]
async fn gets_every_feature_that_the_adapter_has() {
    let gpu = gpu::shared().await;
    let adapter = adapter_features().await;
    for (feature, name) in [
        (GpuFeature::ShaderF16, "shader-f16"),
        (GpuFeature::Subgroups, "subgroups"),
        (GpuFeature::TimestampQuery, "timestamp-query"),
    ] {
        assert_eq!(
            gpu.report().features.contains(&feature),
            adapter.iter().any(|has| has == name),
            "{name}, the adapter has {adapter:?}"
        );
    }
}

/// The features of the browser's adapter, asked without wgpu.
async fn adapter_features() -> Vec<String> {
    let get = |target: &JsValue, key: &str| Reflect::get(target, &key.into()).unwrap();
    let gpu = get(&get(&js_sys::global(), "navigator"), "gpu");
    let request: Function = get(&gpu, "requestAdapter").unchecked_into();
    let adapter: Promise = request.call0(&gpu).unwrap().unchecked_into();
    let adapter = JsFuture::from(adapter).await.unwrap();
    Array::from(&get(&adapter, "features"))
        .iter()
        .filter_map(|name| name.as_string())
        .collect()
}

#[wasm_bindgen_test]
async fn features_can_be_withheld() {
    let options = GpuOptions {
        withhold: GpuFeature::ALL.to_vec(),
        ..GpuOptions::default()
    };
    let gpu = Gpu::open(options).await.unwrap();
    assert_eq!(gpu.report().features, []);
    kernels::rms_norm_takes_views(&gpu).await;
}

#[wasm_bindgen_test]
async fn a_limit_no_adapter_has_is_named() {
    let options = GpuOptions {
        storage_binding_bytes: Some(1 << 52),
        ..GpuOptions::default()
    };
    match Gpu::open(options).await.err() {
        Some(GpuError::LimitTooSmall { limit, needed, had }) => {
            assert_eq!((limit, needed), ("maxStorageBufferBindingSize", 1 << 52));
            assert!(had > 0);
        }
        other => panic!("{other:?}"),
    }
}

#[wasm_bindgen_test]
async fn a_lost_device_says_so_and_a_new_one_works() {
    let lost = gpu::own().await;
    let tensor = Tensor::<1>::ones([4], lost.device());
    lost.destroy();
    assert_eq!(lost.lost().await.reason, LossReason::Destroyed);
    assert!(matches!(
        lost.read(tensor).await,
        Err(GpuError::DeviceLost(_))
    ));

    let next = gpu::own().await;
    let sum = next
        .read(Tensor::<1>::ones([4], next.device()).sum())
        .await
        .unwrap();
    assert_eq!(sum.try_to_vec::<f32>().unwrap(), [4.0]);
}

#[wasm_bindgen_test]
async fn a_loss_during_a_read_ends_the_read() {
    let gpu = gpu::own().await;
    let tensor = Tensor::<2>::ones([256, 256], gpu.device());
    let product = tensor.clone().matmul(tensor);
    let read = gpu.read(product);
    gpu.destroy();
    assert!(matches!(read.await, Err(GpuError::DeviceLost(_))));
}
