//! Options of opening a GPU.

use serde::{Deserialize, Serialize};

/// Optional WebGPU features that kernels use where they exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum GpuFeature {
    /// 16-bit floats in shaders.
    ShaderF16,
    /// Operations across the invocations of a subgroup.
    Subgroups,
    /// Timestamps taken by the GPU itself.
    TimestampQuery,
}

impl GpuFeature {
    /// All features, in the order of reports.
    pub const ALL: [Self; 3] = [Self::ShaderF16, Self::Subgroups, Self::TimestampQuery];

    /// wgpu's flag for the feature.
    pub fn as_wgpu(self) -> wgpu::Features {
        match self {
            Self::ShaderF16 => wgpu::Features::SHADER_F16,
            Self::Subgroups => wgpu::Features::SUBGROUP,
            Self::TimestampQuery => wgpu::Features::TIMESTAMP_QUERY,
        }
    }
}

/// Preference among several adapters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum PowerPreference {
    /// The fastest.
    #[default]
    HighPerformance,
    /// The most frugal.
    LowPower,
}

impl PowerPreference {
    pub(super) fn as_wgpu(self) -> wgpu::PowerPreference {
        match self {
            Self::HighPerformance => wgpu::PowerPreference::HighPerformance,
            Self::LowPower => wgpu::PowerPreference::LowPower,
        }
    }
}

/// Options of [`Gpu::open`](super::Gpu::open). Every field has a default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct GpuOptions {
    /// Preference among several adapters.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub power_preference: PowerPreference,
    /// Features that are not requested, to test or measure without them.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub withhold: Vec<GpuFeature>,
    /// The smallest `maxStorageBufferBindingSize` in bytes that suffices, if it is known.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub storage_binding_bytes: Option<u64>,
}
