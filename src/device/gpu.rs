//! An open GPU: adapter and device, requested with our own limits and features, known to burn.

use std::fmt;
use std::sync::Arc;

use burn::tensor::wgpu::{MemoryConfiguration, WgpuSetup};
use burn::tensor::{Device, Tensor, TensorData, kind::Basic};

#[cfg(target_family = "wasm")]
use super::browser;
#[cfg(unix)]
use super::exit;
use super::loss::DeviceWatch;
use super::{
    DeviceLoss, GpuError, GpuFeature, GpuMemory, GpuOptions, GpuReport, Processor, ShaderAbilities,
    limits,
};

/// Launches per submission of burn's. More than its default of 32 means fewer submissions per
/// token.
const TASKS_PER_SUBMISSION: usize = 64;

/// Features that burn takes for granted on a device whose adapter has them: its own kernels would
/// not compile without.
const BURN_READS_FROM_ADAPTER: wgpu::Features = wgpu::Features::SHADER_INT64
    .union(wgpu::Features::SHADER_F64)
    .union(wgpu::Features::SHADER_FLOAT32_ATOMIC);

/// An open GPU: burn's device, wgpu's handles and a report. Clones share the device.
#[derive(Clone)]
pub struct Gpu {
    device: Device,
    setup: WgpuSetup,
    report: Arc<GpuReport>,
    processor: Processor,
    watch: DeviceWatch,
}

impl fmt::Debug for Gpu {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Gpu");
        shown.field("report", &self.report).finish_non_exhaustive()
    }
}

impl Gpu {
    /// Requests an adapter and a device, and registers them with burn.
    ///
    /// The device has all limits of its adapter. It has the features of [`GpuFeature`] that the
    /// adapter offers and `options` does not withhold. Each call opens another device; after a
    /// loss, call it again.
    ///
    /// # Errors
    ///
    /// [`GpuError::WebGpuUnavailable`], [`GpuError::AdapterUnavailable`],
    /// [`GpuError::LimitTooSmall`] or [`GpuError::DeviceRequestFailed`].
    pub async fn open(options: GpuOptions) -> Result<Self, GpuError> {
        #[cfg(target_family = "wasm")]
        browser::prepare()?;

        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: wgpu::Backends::from_env().unwrap_or(wgpu::Backends::PRIMARY),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions {
                power_preference: options.power_preference.as_wgpu(),
                ..wgpu::RequestAdapterOptions::default()
            })
            .await
            .map_err(|error| GpuError::AdapterUnavailable {
                detail: error.to_string(),
            })?;
        limits::check(&adapter.limits(), options.storage_binding_bytes)?;

        let wanted = GpuFeature::ALL
            .into_iter()
            .filter(|feature| !options.withhold.contains(feature))
            .map(GpuFeature::as_wgpu)
            .fold(BURN_READS_FROM_ADAPTER, |all, feature| all | feature);
        let (device, queue) = request_device(&adapter, wanted).await?;
        #[cfg(target_family = "wasm")]
        browser::watch_buffers(&device);

        let report = Arc::new(GpuReport::new(&adapter, &device));
        let setup = WgpuSetup {
            backend: adapter.get_info().backend,
            instance,
            adapter,
            device,
            queue,
        };
        let burn_device = Device::wgpu_options()
            .tasks_max(TASKS_PER_SUBMISSION)
            // One buffer per allocation, in the browser burn's only way. Bytes reported are then
            // bytes allocated, and no kernel meets a buffer that it reads and writes at once.
            .memory_config(MemoryConfiguration::ExclusivePages)
            .setup(setup.clone())
            .init()
            .map_err(|error| GpuError::DeviceRequestFailed {
                detail: error.to_string(),
            })?;
        let processor = Processor::of(&report);
        processor.register(&burn_device)?;
        // After burn's registration, which installs callbacks that panic on an uncaptured error.
        let watch = DeviceWatch::install(&setup.device);
        Ok(Self {
            device: burn_device,
            setup,
            report,
            processor,
            watch,
        })
    }

    /// [`Gpu::open`] for callers without an executor.
    ///
    /// # Errors
    ///
    /// As [`Gpu::open`].
    #[cfg(not(target_family = "wasm"))]
    pub fn open_blocking(options: GpuOptions) -> Result<Self, GpuError> {
        pollster::block_on(Self::open(options))
    }

    /// The device to create tensors and modules on.
    pub fn device(&self) -> &Device {
        self.used_by_this_thread();
        &self.device
    }

    /// The adapter and what it gave.
    pub fn report(&self) -> &GpuReport {
        &self.report
    }

    /// The kind of processor behind the adapter.
    pub fn processor(&self) -> Processor {
        self.processor
    }

    /// Abilities of the device's shaders.
    pub fn shader_abilities(&self) -> ShaderAbilities {
        let report = self.report();
        let has_subgroups = report.features.contains(&GpuFeature::Subgroups);
        let (smallest, _) = report.subgroup_size;
        ShaderAbilities {
            subgroup: if has_subgroups { smallest as usize } else { 0 },
            #[cfg(target_family = "wasm")]
            integer_products: browser::has_integer_products(),
            // Natively, wgpu composes them of what the adapter has.
            #[cfg(not(target_family = "wasm"))]
            integer_products: true,
        }
    }

    /// wgpu's handles of burn's device, for counting and for other work on it.
    pub fn wgpu(&self) -> (&wgpu::Device, &wgpu::Queue) {
        self.used_by_this_thread();
        (&self.setup.device, &self.setup.queue)
    }

    /// Fails when the device is gone or an earlier operation on it failed unnoticed.
    ///
    /// WebGPU reports such failures late, and to the device instead of the call that caused them.
    /// Each is returned once.
    ///
    /// # Errors
    ///
    /// [`GpuError::DeviceLost`] or [`GpuError::OperationFailed`].
    pub fn check(&self) -> Result<(), GpuError> {
        self.watch.check()
    }

    /// Reads a tensor back. Waits for all work that it depends on.
    ///
    /// # Errors
    ///
    /// [`GpuError::DeviceLost`], also when the loss happens during the read, or
    /// [`GpuError::OperationFailed`].
    pub async fn read<const D: usize, K: Basic>(
        &self,
        tensor: Tensor<D, K>,
    ) -> Result<TensorData, GpuError> {
        self.check()?;
        let read = self.watch.or_lost(tensor.into_data_async()).await?;
        // A failed read says less than the loss or the error behind it.
        self.check()?;
        read.map_err(|error| GpuError::OperationFailed {
            operation: "reading a tensor",
            detail: error.to_string(),
        })
    }

    /// Memory allocated on the device, by burn's count; launches not yet submitted count as done.
    pub fn memory(&self) -> GpuMemory {
        let usage = self.device.memory_pool_usage();
        usage.map_or_else(GpuMemory::default, |usage| GpuMemory {
            bytes_in_use: usage.bytes_in_use,
            bytes_reserved: usage.bytes_reserved,
            allocations: usage.number_allocs,
        })
    }

    /// Waits until the device has done all that was asked of it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), for any work since the last check.
    pub async fn settle(&self) -> Result<(), GpuError> {
        let nothing = Tensor::<1>::zeros([1], &self.device);
        self.read(nothing).await.map(drop)
    }

    /// Waits as [`settle`](Self::settle), then frees memory that burn keeps for reuse.
    ///
    /// # Errors
    ///
    /// As [`settle`](Self::settle).
    pub async fn release_unused(&self) -> Result<(), GpuError> {
        self.settle().await?;
        self.device.memory_cleanup();
        // Launches that have not been submitted may still use what was freed.
        self.settle().await?;
        #[cfg(target_family = "wasm")]
        browser::destroy_dropped_buffers(&self.setup.device);
        Ok(())
    }

    /// `work`'s result, unless the device is lost first.
    pub(crate) async fn or_lost<T>(&self, work: impl Future<Output = T>) -> Result<T, GpuError> {
        self.watch.or_lost(work).await
    }

    fn used_by_this_thread(&self) {
        #[cfg(unix)]
        if self.report.software {
            exit::wait_on_this_thread(&self.device);
        }
    }

    /// Resolves when the device is lost, at once if it already is.
    pub async fn lost(&self) -> DeviceLoss {
        self.watch.lost().await
    }

    /// Destroys the device and with it all its memory. From now on everything on it fails with
    /// [`GpuError::DeviceLost`].
    pub fn destroy(&self) {
        self.setup.device.destroy();
        // Natively, callbacks run when the device is polled; in the browser this does nothing.
        // Polling a lost device gives an error, which is no news.
        let _ = self.setup.device.poll(wgpu::PollType::Poll);
    }
}

async fn request_device(
    adapter: &wgpu::Adapter,
    wanted: wgpu::Features,
) -> Result<(wgpu::Device, wgpu::Queue), GpuError> {
    let request = || {
        adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("kvscope"),
            required_features: wanted & adapter.features(),
            required_limits: adapter.limits(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..wgpu::DeviceDescriptor::default()
        })
    };
    #[cfg(target_family = "wasm")]
    let requested = if wanted.contains(wgpu::Features::SUBGROUP) {
        browser::requesting_subgroups(request)
    } else {
        Some(request())
    };
    #[cfg(not(target_family = "wasm"))]
    let requested = Some(request());
    let failed = |detail: String| GpuError::DeviceRequestFailed { detail };
    requested
        .ok_or_else(|| failed("the browser's requestDevice was not called".to_owned()))?
        .await
        .map_err(|error| failed(error.to_string()))
}
