//! What the adapter gave, for people and for tables of figures.

use serde::Serialize;

use super::GpuFeature;

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

impl GpuReport {
    /// Whether the adapter computes on a CPU. Browsers don't tell, but by its name.
    pub fn is_software(&self) -> bool {
        let name = self.name.to_lowercase();
        let known = ["swiftshader", "llvmpipe", "lavapipe", "basic render"];
        self.device_type == "cpu" || known.iter().any(|software| name.contains(software))
    }

    pub(super) fn new(adapter: &wgpu::Adapter, device: &wgpu::Device) -> Self {
        let info = adapter.get_info();
        let has = |feature: &GpuFeature| device.features().contains(feature.as_wgpu());
        #[cfg(target_family = "wasm")]
        let has = |feature: &GpuFeature| match feature {
            GpuFeature::Subgroups => super::browser::has_subgroups(device),
            other => has(other),
        };
        #[cfg(target_family = "wasm")]
        let info = wgpu::AdapterInfo {
            name: super::browser::name(device),
            ..info
        };
        let limits = device.limits();
        Self {
            name: info.name,
            vendor: info.vendor,
            device: info.device,
            driver: [info.driver, info.driver_info].join(" ").trim().to_owned(),
            backend: info.backend.to_string(),
            device_type: format!("{:?}", info.device_type).to_lowercase(),
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
