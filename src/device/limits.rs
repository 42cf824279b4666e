//! Limits that every adapter has to reach.

use super::GpuError;

/// Limits that the kernels in `shaders/` are written for, WebGPU's own defaults (WebGPU §3.6.2).
/// Only unusual native adapters and compatibility-mode browsers fall below.
pub const REQUIRED: [(&str, u64); 5] = [
    ("maxStorageBuffersPerShaderStage", 8),
    ("maxComputeInvocationsPerWorkgroup", 256),
    ("maxComputeWorkgroupStorageSize", 16_384),
    ("maxComputeWorkgroupsPerDimension", 65_535),
    ("maxStorageBufferBindingSize", 128 << 20),
];

/// Checks `limits` against [`REQUIRED`] and, if there is one, against `storage_binding_bytes`.
///
/// # Errors
///
/// [`GpuError::LimitTooSmall`] with the first limit that is too small.
pub fn check(limits: &wgpu::Limits, storage_binding_bytes: Option<u64>) -> Result<(), GpuError> {
    let asked = storage_binding_bytes.map(|bytes| ("maxStorageBufferBindingSize", bytes));
    for (limit, needed) in REQUIRED.into_iter().chain(asked) {
        let had = value(limits, limit);
        if had < needed {
            return Err(GpuError::LimitTooSmall { limit, needed, had });
        }
    }
    Ok(())
}

fn value(limits: &wgpu::Limits, name: &str) -> u64 {
    match name {
        "maxStorageBuffersPerShaderStage" => limits.max_storage_buffers_per_shader_stage.into(),
        "maxComputeInvocationsPerWorkgroup" => limits.max_compute_invocations_per_workgroup.into(),
        "maxComputeWorkgroupStorageSize" => limits.max_compute_workgroup_storage_size.into(),
        "maxComputeWorkgroupsPerDimension" => limits.max_compute_workgroups_per_dimension.into(),
        // A binding can be no larger than the buffer behind it.
        _ => limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webgpu_defaults_are_enough() {
        assert_eq!(check(&wgpu::Limits::default(), None), Ok(()));
    }

    #[test]
    fn names_the_limit_with_both_values() {
        let limits = wgpu::Limits {
            max_storage_buffers_per_shader_stage: 4,
            ..wgpu::Limits::default()
        };
        assert_eq!(
            check(&limits, None),
            Err(GpuError::LimitTooSmall {
                limit: "maxStorageBuffersPerShaderStage",
                needed: 8,
                had: 4
            })
        );
    }

    #[test]
    fn a_binding_is_bounded_by_its_buffer() {
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: 4 << 30,
            max_buffer_size: 256 << 20,
            ..wgpu::Limits::default()
        };
        assert_eq!(
            check(&limits, Some(1 << 30)),
            Err(GpuError::LimitTooSmall {
                limit: "maxStorageBufferBindingSize",
                needed: 1 << 30,
                had: 256 << 20
            })
        );
    }
}
