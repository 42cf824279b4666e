//! What burn has allocated on the device.

use serde::Serialize;

/// The device's memory as burn's allocator has it, everything on the device together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct GpuMemory {
    /// Bytes of the tensors that exist, each rounded up to 256.
    pub bytes_in_use: u64,
    /// Bytes of the buffers that exist, with those kept for reuse.
    pub bytes_reserved: u64,
    /// How many tensors exist.
    pub allocations: u64,
}
