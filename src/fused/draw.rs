//! Drawing a token on the device, for generations that do not always take the likeliest.

use super::buffers::{storage, uniform};
use super::kernels::Binder;
use super::submission::{Dispatch, Submission};
use crate::generate::Draw;
use crate::kernels::{BoundBuffer, KernelError};

/// Words of the kernel's settings: see `Settings` in `draw.wgsl`.
const SETTINGS: usize = 8;

/// The buffers that only the drawing kernel uses.
pub(super) struct DrawBuffers {
    /// Uniform of [`SETTINGS`] words.
    pub settings: BoundBuffer,
    /// Tokens that count as having occurred, `[vocabulary]` at most.
    pub occurred: BoundBuffer,
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
            settings: uniform(device, 4 * SETTINGS as u64),
            occurred: storage(device, per_token),
            numbers: storage(device, per_token),
        };
        Ok(Self {
            dispatch: binder.draw(&buffers)?,
            buffers,
        })
    }

    /// Uploads the settings of the next draw, for a vocabulary of `vocabulary` tokens.
    pub fn upload(&self, submission: &mut Submission<'_>, draw: &Draw<'_>, vocabulary: usize) {
        let sampling = draw.sampling;
        // Each token occurs once; those beyond the vocabulary have no logit.
        let occurred = &draw.occurred[..draw.occurred.len().min(vocabulary)];
        let words: [u32; SETTINGS] = [
            sampling.temperature.to_bits(),
            u32::try_from(sampling.top_k).unwrap_or(u32::MAX),
            sampling.top_p.to_bits(),
            sampling.min_p.to_bits(),
            sampling.repetition_penalty.to_bits(),
            occurred.len() as u32,
            draw.part.to_bits(),
            0,
        ];
        submission.upload(&self.buffers.settings, &words);
        submission.upload(&self.buffers.occurred, occurred);
    }
}
