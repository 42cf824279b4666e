//! A device's news: its loss, and the errors that no call returns.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;
use futures_util::future::{Either, FutureExt, Shared, select};

use super::{DeviceLoss, GpuError, LossReason};

/// A device's loss and its first error since the last check.
#[derive(Clone)]
pub(super) struct DeviceWatch {
    loss: Shared<oneshot::Receiver<DeviceLoss>>,
    /// The first error since the last [`DeviceWatch::check`]; later ones mostly follow from it.
    fault: Arc<Mutex<Option<String>>>,
}

impl DeviceWatch {
    /// Replaces the device's callbacks.
    pub(super) fn install(device: &wgpu::Device) -> Self {
        let (sender, receiver) = oneshot::channel();
        let sender = Mutex::new(Some(sender));
        device.set_device_lost_callback(move |reason, message| {
            let reason = match reason {
                wgpu::DeviceLostReason::Destroyed => LossReason::Destroyed,
                wgpu::DeviceLostReason::Unknown => LossReason::Unknown,
            };
            if let Some(sender) = lock(&sender).take() {
                // Nobody listens any more once every `Gpu` is dropped.
                let _ = sender.send(DeviceLoss { reason, message });
            }
        });
        let fault = Arc::new(Mutex::new(None));
        let noted = fault.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            log::error!("GPU error: {error}");
            lock(&noted).get_or_insert_with(|| error.to_string());
        }));
        Self {
            loss: receiver.shared(),
            fault,
        }
    }

    pub(super) fn check(&self) -> Result<(), GpuError> {
        // Polls the channel without waiting: `peek` would not see a loss that nobody has awaited.
        if let Some(loss) = self.loss.clone().now_or_never() {
            return Err(lost(loss));
        }
        match lock(&self.fault).take() {
            Some(detail) => Err(GpuError::OperationFailed {
                operation: "an earlier operation",
                detail,
            }),
            None => Ok(()),
        }
    }

    pub(super) async fn lost(&self) -> DeviceLoss {
        loss_of(self.loss.clone().await)
    }

    /// `work`'s result, unless the device is lost first, for which `work` may wait for ever.
    pub(super) async fn or_lost<T>(&self, work: impl Future<Output = T>) -> Result<T, GpuError> {
        match select(pin!(work), self.loss.clone()).await {
            Either::Left((done, _)) => Ok(done),
            Either::Right((loss, _)) => Err(lost(loss)),
        }
    }
}

fn lost(loss: Result<DeviceLoss, oneshot::Canceled>) -> GpuError {
    GpuError::DeviceLost(loss_of(loss))
}

/// The callback is dropped uncalled only together with the device.
fn loss_of(loss: Result<DeviceLoss, oneshot::Canceled>) -> DeviceLoss {
    loss.unwrap_or_else(|_| DeviceLoss {
        reason: LossReason::Unknown,
        message: "the device was dropped".to_owned(),
    })
}

/// Ignores poison: both mutexes hold plain values, which no panic leaves half-written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
