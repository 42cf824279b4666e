//! Opening a model from disk, in one call.

use std::ops::ControlFlow;
use std::path::Path;

use super::Engine;
use crate::Error;
use crate::device::{ComputeDevice, Gpu, GpuOptions};
use crate::fused::KnownTunings;
use crate::model::load_model;

/// Told after each piece of 1 MiB: bytes read, and bytes of all files.
type Progress<'a> = Box<dyn FnMut(u64, u64) -> ControlFlow<()> + 'a>;

/// Options of [`Engine::open`]. The default opens the fastest GPU and measures its tuning.
pub struct OpenOptions<'a> {
    device: DeviceChoice,
    tunings: Option<&'a mut KnownTunings>,
    progress: Progress<'a>,
}

/// The device that a model is to be on.
enum DeviceChoice {
    /// A GPU, to be opened.
    Open(GpuOptions),
    /// A device that is open already, or needs no opening.
    Given(ComputeDevice),
}

impl Default for OpenOptions<'_> {
    fn default() -> Self {
        Self::gpu(GpuOptions::default())
    }
}

impl<'a> OpenOptions<'a> {
    fn new(device: DeviceChoice) -> Self {
        Self {
            device,
            tunings: None,
            progress: Box::new(|_, _| ControlFlow::Continue(())),
        }
    }

    /// Opens a GPU by `options`.
    pub fn gpu(options: GpuOptions) -> Self {
        Self::new(DeviceChoice::Open(options))
    }

    /// Puts the model on this machine's CPU.
    pub fn cpu() -> Self {
        Self::on(ComputeDevice::Cpu)
    }

    /// Puts the model on a device that is open already.
    pub fn on(device: impl Into<ComputeDevice>) -> Self {
        Self::new(DeviceChoice::Given(device.into()))
    }

    /// Takes the tuning from `known`, or measures it and notes it there. Whoever keeps `known`
    /// spares the next open the measurement.
    #[must_use]
    pub fn with_tunings(mut self, known: &'a mut KnownTunings) -> Self {
        self.tunings = Some(known);
        self
    }

    /// Calls `progress` after each piece of 1 MiB with the bytes read and the bytes of all files.
    /// If it breaks, the open ends with [`ModelError::Cancelled`](crate::model::ModelError).
    #[must_use]
    pub fn with_progress(mut self, progress: impl FnMut(u64, u64) -> ControlFlow<()> + 'a) -> Self {
        self.progress = Box::new(progress);
        self
    }
}

impl Engine {
    /// Opens a model from disk: loads it onto the device, waits for the device, and picks its
    /// tuning.
    ///
    /// `path` is a GGUF file, one of a split model's files, or a folder in Hugging Face's layout:
    /// see [`load_model`].
    ///
    /// ```no_run
    /// # async fn open() -> Result<(), kvscope::Error> {
    /// use kvscope::engine::{Engine, OpenOptions};
    ///
    /// let engine = Engine::open("model.gguf", OpenOptions::default()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`GpuError`](crate::device::GpuError) where the GPU can't be opened, and those of
    /// [`load_model`]. A failed or cancelled open leaves nothing behind. It destroys the GPU that
    /// it opened, and frees its memory on a device that it was given.
    pub async fn open(path: impl AsRef<Path>, options: OpenOptions<'_>) -> Result<Self, Error> {
        let OpenOptions {
            device,
            tunings,
            progress,
        } = options;
        let path = path.as_ref();
        match device {
            DeviceChoice::Given(device) => Self::load(path, device, tunings, progress).await,
            DeviceChoice::Open(options) => {
                let gpu = Gpu::open(options).await?;
                let opened = Self::load(path, gpu.clone().into(), tunings, progress).await;
                // burn keeps every device that it knows, and all that is allocated on it.
                opened.inspect_err(|_| gpu.destroy())
            }
        }
    }

    async fn load(
        path: &Path,
        device: ComputeDevice,
        tunings: Option<&mut KnownTunings>,
        progress: Progress<'_>,
    ) -> Result<Self, Error> {
        let loaded = load_model(
            path,
            &device.burn_device(),
            device.binding_bytes(),
            progress,
        );
        let parts = loaded.and_then(|loaded| {
            let tokenizer = loaded.tokenizer()?;
            Ok((loaded.model, tokenizer))
        });
        let known = &mut KnownTunings::default();
        Self::ready(parts, device, tunings.unwrap_or(known)).await
    }
}
