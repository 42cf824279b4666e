//! Drawing a token on the device, for generations that do not always take the likeliest.

use super::buffers::{storage, uniform};
use super::draw_words;
use super::kernels::Binder;
use super::submission::{Dispatch, Submission};
use crate::generate::Draw;
use crate::kernels::{BoundBuffer, KernelError};

/// The buffers that only the drawing kernel uses.
pub(super) struct DrawBuffers {
    /// Uniform: see [`draw_words`].
    pub settings: BoundBuffer,
    /// Logits that change, a vector each, `[vocabulary]` at most.
    pub adjustments: BoundBuffer,
    /// The kernel's scratch, `[vocabulary]`, f32.
    pub numbers: BoundBuffer,
}

/// The drawing kernel and its buffers.
pub(super) struct DrawKernel {
    /// Dispatched in the place of `choose`.
    pub dispatch: Dispatch,
    /// In the browser, a buffer that only a bind group refers to counts as dropped.
    buffers: DrawBuffers,
}

impl DrawKernel {
    pub fn bind(binder: &Binder<'_>) -> Result<Self, KernelError> {
        let (device, _) = binder.gpu.wgpu();
        let per_token = 4 * binder.sizes.vocabulary as u64;
        let buffers = DrawBuffers {
            settings: uniform(device, 4 * draw_words::count() as u64),
            adjustments: storage(device, 4 * per_token),
            numbers: storage(device, per_token),
        };
        Ok(Self {
            dispatch: binder.draw(&buffers)?,
            buffers,
        })
    }

    /// Uploads the settings of the next draw, for a vocabulary of `vocabulary` tokens.
    pub fn upload(&self, submission: &mut Submission<'_>, draw: &Draw<'_>, vocabulary: usize) {
        // Each token once, in the order of ids; those beyond the vocabulary have no logit.
        let adjustments = &draw.adjustments[..draw.adjustments.len().min(vocabulary)];
        let words = draw_words::words(draw, adjustments.len());
        submission.upload(&self.buffers.settings, &words);
        let adjustments: Vec<_> = adjustments.iter().map(draw_words::adjustment).collect();
        submission.upload(&self.buffers.adjustments, &adjustments);
    }
}
