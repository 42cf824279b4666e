//! Launch of a shader: from its text to a dispatch on burn's queue.

use burn::cubecl::prelude::*;
use burn::cubecl::server::{KernelArguments, MetadataBindingInfo};
use burn::tensor::{DType, Shape};
use burn_wgpu::{CubeTensor, KernelSource, SourceKernel, SourceTemplate};

/// Declares a kernel whose whole code is the file `$file` of `shaders/`.
macro_rules! wgsl_kernel {
    ($name:ident, $file:literal) => {
        struct $name;

        impl burn_wgpu::KernelSource for $name {
            fn source(&self) -> burn_wgpu::SourceTemplate {
                burn_wgpu::SourceTemplate::new($crate::shaders::shader!($file))
            }

            fn id(&self) -> burn::cubecl::prelude::KernelId {
                burn::cubecl::prelude::KernelId::new::<Self>()
            }

            fn lang(&self) -> &'static str {
                "wgsl"
            }
        }
    };
}
pub(super) use wgsl_kernel;

/// Most workgroups along one side of a grid (WebGPU's guaranteed
/// `maxComputeWorkgroupsPerDimension`).
const GRID_SIDE: u32 = 65_535;

/// A grid of at least `count` workgroups, and the number of workgroups per line.
pub(super) fn grid(count: u32) -> (CubeCount, u32) {
    let line = count.clamp(1, GRID_SIDE);
    (
        CubeCount::Static(line, count.div_ceil(line).max(1), 1),
        line,
    )
}

/// Dispatches `kernel` with `tensors` bound in order from binding 0, and `words` as the uniform
/// after them.
///
/// `words` are 32-bit values in the order of the shader's struct, padded here to the 16 bytes of
/// uniforms.
pub(super) fn launch(
    kernel: impl KernelSource,
    count: CubeCount,
    tensors: &[&CubeTensor],
    words: &[u32],
) {
    launch_any(AnyKernel(Box::new(kernel)), count, tensors, words);
}

/// A kernel behind a pointer. The module would have a copy of burn's part per type of kernel.
struct AnyKernel(Box<dyn KernelSource>);

impl KernelSource for AnyKernel {
    fn source(&self) -> SourceTemplate {
        self.0.source()
    }

    fn id(&self) -> KernelId {
        self.0.id()
    }

    fn lang(&self) -> &'static str {
        self.0.lang()
    }
}

fn launch_any(kernel: AnyKernel, count: CubeCount, tensors: &[&CubeTensor], words: &[u32]) {
    let client = &tensors[0].client;
    let mut padded = words.to_vec();
    padded.resize(words.len().next_multiple_of(4), 0);
    let info = padded
        .chunks_exact(2)
        .map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 32)
        .collect();
    let arguments = KernelArguments::new()
        .with_buffers(
            tensors
                .iter()
                .map(|tensor| tensor.handle.clone().binding())
                .collect(),
        )
        .with_info(MetadataBindingInfo::custom(info));
    // The shader sets the workgroup's size; burn uses this one only for its checks.
    client.launch(
        Box::new(SourceKernel::new(kernel, CubeDim::new_single())),
        count,
        arguments,
    );
}

/// Allocates uninitialised memory for a result of `shape` and `dtype`, on `like`'s device.
pub(super) fn empty(like: &CubeTensor, shape: Shape, dtype: DType) -> CubeTensor {
    let bytes = shape.num_elements() * dtype.size();
    CubeTensor::new_contiguous(
        like.client.clone(),
        like.device.clone(),
        shape,
        like.client.empty(bytes),
        dtype,
    )
}
