//! The GPU of the browser's tests.

use std::cell::OnceCell;

use kvscope::device::{Gpu, GpuOptions};

/// The GPU that the tests of a page share: a device compiles each kernel once.
pub async fn shared() -> Gpu {
    thread_local! {
        static SHARED: OnceCell<Gpu> = const { OnceCell::new() };
    }
    if let Some(gpu) = SHARED.with(|shared| shared.get().cloned()) {
        return gpu;
    }
    let gpu = own().await;
    SHARED.with(|shared| shared.get_or_init(|| gpu).clone())
}

/// A GPU of its own, for tests that lose it or count its memory.
pub async fn own() -> Gpu {
    Gpu::open(GpuOptions::default())
        .await
        .expect("WebGPU in this browser")
}
