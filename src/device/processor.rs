//! The processor behind an adapter, by which kernels are chosen.

use std::sync::Arc;

use burn::backend::{
    CubeDevice, DeviceHandle, DeviceId, DeviceService, DispatchDevice, ServerUtilitiesHandle,
    WgpuDevice, WgpuDeviceKind,
};
use burn::tensor::Device;
use burn_wgpu::CubeTensor;

use super::{GpuError, GpuFeature, GpuReport};

/// The kind of processor that runs an adapter's kernels.
///
/// burn's handle of a device does not tell, and a tensor leads to nothing else. So
/// [`Gpu::open`](super::Gpu::open) adds it to burn's own state of the device, and it lives as long
/// as that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Processor {
    /// A GPU; also any adapter that [`Gpu::open`](super::Gpu::open) did not open.
    #[default]
    Gpu,
    /// A CPU.
    Cpu,
    /// A CPU whose driver is quick to compile kernels with quad operations.
    CpuWithQuads,
}

/// Names of drivers that compute on a CPU, in lower case. Browsers tell no more than the name.
const SOFTWARE: [&str; 5] = [
    "swiftshader",
    "llvmpipe",
    "lavapipe",
    "basic render",
    "software",
];

/// The one of them that compiles quad operations quickly. Others take minutes: lavapipe's compiler
/// optimises all that is unrolled in such a kernel.
const QUICK: &str = "swiftshader";

/// True for an adapter of this name and device type (`cpu`, `other`, …) that computes on a CPU.
pub(super) fn is_software(name: &str, device_type: &str) -> bool {
    let name = name.to_lowercase();
    device_type == "cpu" || SOFTWARE.iter().any(|driver| name.contains(driver))
}

impl Processor {
    /// The processor of the adapter that `report` describes.
    pub(super) fn of(report: &GpuReport) -> Self {
        let quick = report.name.to_lowercase().contains(QUICK);
        match report.software {
            true if quick && report.features.contains(&GpuFeature::Subgroups) => Self::CpuWithQuads,
            true => Self::Cpu,
            false => Self::Gpu,
        }
    }

    /// Keeps it with `device`, which burn has just registered.
    pub(super) fn register(self, device: &Device) -> Result<(), GpuError> {
        let failed = |detail: String| GpuError::DeviceRequestFailed { detail };
        match device.as_dispatch() {
            DispatchDevice::Cube(device) => {
                let id = device.client().service_id().device;
                let registered = DeviceHandle::<Registered>::insert(id, Registered(Arc::new(self)));
                registered.map_err(|error| failed(format!("{error:?}")))?;
                Ok(())
            }
            #[allow(unreachable_patterns, reason = "in the browser there is no other kind")]
            other => Err(failed(format!("{other:?} is no WebGPU device"))),
        }
    }

    /// The processor of the device that `tensor` is on.
    pub(crate) fn behind(tensor: &CubeTensor) -> Self {
        // Only a device that was handed to burn ready made has been registered here.
        let CubeDevice::Wgpu(WgpuDevice {
            kind: WgpuDeviceKind::Existing(_),
            ..
        }) = tensor.device
        else {
            return Self::default();
        };
        registered(tensor.client.service_id().device)
    }
}

/// The processor of a device by burn's number of it.
fn registered(id: DeviceId) -> Processor {
    // Refused where there is an entry, which then counts. Without one, as for a device that the
    // program handed to burn itself, asking would fail in the browser.
    let _ = DeviceHandle::<Registered>::insert(id, Registered::init(id));
    let entry = DeviceHandle::<Registered>::new(id).utilities();
    entry
        .downcast()
        .map_or_else(|_| Processor::default(), |it| *it)
}

/// The entry beside burn's own for a device.
struct Registered(Arc<Processor>);

impl DeviceService for Registered {
    fn init(_: DeviceId) -> Self {
        Self(Arc::default())
    }

    fn utilities(&self) -> ServerUtilitiesHandle {
        self.0.clone()
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;
    use crate::device::{Gpu, GpuOptions};

    #[test]
    fn each_device_has_its_own_entry() {
        let without_quads = GpuOptions {
            withhold: vec![GpuFeature::Subgroups],
            ..GpuOptions::default()
        };
        for options in [GpuOptions::default(), without_quads] {
            let gpu = Gpu::open_blocking(options).unwrap();
            let DispatchDevice::Cube(device) = gpu.device().as_dispatch() else {
                panic!("{:?}", gpu.device());
            };
            let id = device.client().service_id().device;
            assert_eq!(registered(id), gpu.processor());
            assert_eq!(gpu.processor() != Processor::Gpu, gpu.report().software);
            let has_quads = gpu.report().features.contains(&GpuFeature::Subgroups);
            assert!(has_quads || gpu.processor() != Processor::CpuWithQuads);
        }
    }

    #[test]
    fn a_cpu_is_known_by_its_type_or_its_name() {
        for name in [
            "SwiftShader Device (LLVM 10.0.0)",
            "google swiftshader",
            "llvmpipe (LLVM 19.1.7, 256 bits)",
            "Microsoft Basic Render Driver",
            "Apple Software Renderer",
        ] {
            assert!(is_software(name, "other"), "{name}");
        }
        assert!(is_software("", "cpu"));
        for name in ["", "NVIDIA H200", "Intel(R) Iris(R) Xe Graphics"] {
            assert!(!is_software(name, "discretegpu"), "{name}");
        }
    }
}
