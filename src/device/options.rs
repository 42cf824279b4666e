//! What a caller asks of the GPU.

use serde::{Deserialize, Serialize};

/// Optional WebGPU features that kernels make use of where they exist.
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
    /// All of them, in the order in which reports list them.
    pub const ALL: [Self; 3] = [Self::ShaderF16, Self::Subgroups, Self::TimestampQuery];

    /// The same feature in wgpu's terms.
    pub fn as_wgpu(self) -> wgpu::Features {
        match self {
            Self::ShaderF16 => wgpu::Features::SHADER_F16,
            Self::Subgroups => wgpu::Features::SUBGROUP,
            Self::TimestampQuery => wgpu::Features::TIMESTAMP_QUERY,
        }
    }
}

/// Which of several adapters is wanted.
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

/// How to open the GPU. Every field has a default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct GpuOptions {
    /// Which of several adapters is wanted.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub power_preference: PowerPreference,
    /// Features not to ask for even where the adapter has them, to test or measure without.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub withhold: Vec<GpuFeature>,
    /// The smallest `maxStorageBufferBindingSize` in bytes that will do, when the caller knows it.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub storage_binding_bytes: Option<u64>,
}
