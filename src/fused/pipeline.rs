//! A kernel of a decode step: compiled once, bound once to its buffers, then recorded at every step.

use super::sizes::DecodeSizes;
use super::variant::{KernelVariant, ShaderSources, render};
use crate::kernels::BoundBuffer;

/// A compiled kernel.
#[derive(Debug, Clone)]
pub struct DecodePipeline {
    pipeline: wgpu::ComputePipeline,
}

/// A kernel with what it is bound to.
#[derive(Debug, Clone)]
pub struct BoundKernel {
    pipeline: wgpu::ComputePipeline,
    bound: wgpu::BindGroup,
}

impl DecodePipeline {
    /// Compiles `texts` for `device`. What is wrong with them is told to the device's error callback.
    pub fn new(
        device: &wgpu::Device,
        name: &str,
        texts: &ShaderSources<'_>,
        sizes: &DecodeSizes,
        particular: &KernelVariant,
    ) -> Self {
        let text = render(texts, sizes, particular);
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        Self {
            pipeline: device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(name),
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            }),
        }
    }

    /// Binds it to `buffers`, each at its number.
    pub fn bind(&self, device: &wgpu::Device, buffers: &[(u32, &BoundBuffer)]) -> BoundKernel {
        let entries: Vec<_> = buffers
            .iter()
            .map(|&(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.resource(),
            })
            .collect();
        self.bind_entries(device, &entries)
    }

    /// Binds it to `entries`, which may be textures too.
    pub fn bind_entries(
        &self,
        device: &wgpu::Device,
        entries: &[wgpu::BindGroupEntry<'_>],
    ) -> BoundKernel {
        BoundKernel {
            bound: device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &self.pipeline.get_bind_group_layout(0),
                entries,
            }),
            pipeline: self.pipeline.clone(),
        }
    }
}

impl BoundKernel {
    /// Records its dispatch.
    pub fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>, [x, y]: [u32; 2]) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bound, &[]);
        pass.dispatch_workgroups(x, y, 1);
    }
}
