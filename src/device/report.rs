//! An open GPU in figures: its adapter, limits, abilities and memory.

use serde::Serialize;

use super::{GpuFeature, processor};

/// The adapter and device in use.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct GpuReport {
    /// The adapter's name; browsers may leave it empty.
    pub name: String,
    /// PCI vendor id, 0 where unknown.
    pub vendor: u32,
    /// PCI device id, 0 where unknown.
    pub device: u32,
    /// The driver, as far as it names itself.
    pub driver: String,
    /// The graphics API, such as `vulkan` or `webgpu`.
    pub backend: String,
    /// Discrete, integrated, virtual, cpu or other.
    pub device_type: String,
    /// True for an adapter that computes on a CPU, such as SwiftShader or lavapipe.
    pub software: bool,
    /// The features that were asked for and given.
    pub features: Vec<GpuFeature>,
    /// The smallest and largest subgroup; both 0 where unknown.
    pub subgroup_size: (u32, u32),
    /// The device's limits.
    pub limits: GpuLimits,
}

/// The limits that decide what fits and how kernels are cut. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[allow(
    missing_docs,
    reason = "the names are WebGPU's own (WebGPU §3.6.2) and are explained there"
)]
pub struct GpuLimits {
    pub max_buffer_size: u64,
    pub max_storage_buffer_binding_size: u64,
    pub max_storage_buffers_per_shader_stage: u32,
    pub max_compute_invocations_per_workgroup: u32,
    pub max_compute_workgroup_storage_size: u32,
    pub max_compute_workgroups_per_dimension: u32,
}

/// Memory of a device by burn's allocator, all tensors on the device together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct GpuMemory {
    /// Bytes of the tensors that exist, each rounded up to 256.
    pub bytes_in_use: u64,
    /// Bytes of the buffers that exist, with those kept for reuse.
    pub bytes_reserved: u64,
    /// Number of tensors that exist.
    pub allocations: u64,
}

/// Abilities of a device's shaders on which the fastest tuning depends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShaderAbilities {
    /// Threads of the smallest subgroup; 0 where there are no subgroup operations.
    pub subgroup: usize,
    /// True with products of four packed integers (WGSL's `packed_4x8_integer_dot_product`).
    pub integer_products: bool,
}

impl ShaderAbilities {
    /// True if four neighbouring threads can exchange values by quad operations.
    pub fn has_quads(self) -> bool {
        self.subgroup >= 4
    }
}

impl GpuReport {
    pub(super) fn new(adapter: &wgpu::Adapter, device: &wgpu::Device) -> Self {
        let info = adapter.get_info();
        #[cfg(target_family = "wasm")]
        let info = wgpu::AdapterInfo {
            name: super::browser::name(device),
            ..info
        };
        let has = |feature: &GpuFeature| device.features().contains(feature.as_wgpu());
        #[cfg(target_family = "wasm")]
        let has = |feature: &GpuFeature| match feature {
            GpuFeature::Subgroups => super::browser::has_subgroups(device),
            other => has(other),
        };
        let limits = device.limits();
        let device_type = format!("{:?}", info.device_type).to_lowercase();
        Self {
            software: processor::is_software(&info.name, &device_type),
            name: info.name,
            vendor: info.vendor,
            device: info.device,
            driver: [info.driver, info.driver_info].join(" ").trim().to_owned(),
            backend: info.backend.to_string(),
            device_type,
            features: GpuFeature::ALL.into_iter().filter(has).collect(),
            subgroup_size: (info.subgroup_min_size, info.subgroup_max_size),
            limits: GpuLimits {
                max_buffer_size: limits.max_buffer_size,
                max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
                max_storage_buffers_per_shader_stage: limits.max_storage_buffers_per_shader_stage,
                max_compute_invocations_per_workgroup: limits.max_compute_invocations_per_workgroup,
                max_compute_workgroup_storage_size: limits.max_compute_workgroup_storage_size,
                max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
            },
        }
    }
}
