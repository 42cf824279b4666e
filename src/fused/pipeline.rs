//! A kernel of a decode step: compiled once, bound to its buffers once, dispatched at every step.

use std::sync::Arc;

use super::bindings::{Binding, Numbered, resolve};
use super::sizes::DecodeSizes;
use super::variant::{KernelVariant, ShaderSources, render};
use crate::kernels::{BoundBuffer, KernelError};

/// A compiled kernel, with the names of its bindings.
#[derive(Debug, Clone)]
pub struct DecodePipeline {
    pipeline: wgpu::ComputePipeline,
    name: Arc<str>,
    bindings: Arc<[Binding]>,
}

/// A compiled kernel and the buffers that it is bound to.
#[derive(Debug, Clone)]
pub struct BoundKernel {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
}

impl DecodePipeline {
    /// Compiles `sources` for `device`. Errors of the WGSL go to the device's error callback.
    pub fn new(
        device: &wgpu::Device,
        name: &str,
        sources: &ShaderSources<'_>,
        sizes: &DecodeSizes,
        variant: &KernelVariant,
    ) -> Self {
        let Numbered { text, bindings } = render(sources, sizes, variant);
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        Self {
            pipeline,
            name: name.into(),
            bindings: bindings.into(),
        }
    }

    /// Binds `buffers`, each to the WGSL variable of its name.
    ///
    /// # Errors
    ///
    /// [`KernelError::Binding`] unless the names are those that the WGSL declares, each once.
    pub fn bind<'a>(
        &self,
        device: &wgpu::Device,
        buffers: impl IntoIterator<Item = (&'static str, &'a BoundBuffer)>,
    ) -> Result<BoundKernel, KernelError> {
        let buffers = buffers.into_iter();
        self.bind_resources(device, buffers.map(|(name, it)| (name, it.resource())))
    }

    /// Binds `resources`, which may be textures too.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_resources<'a>(
        &self,
        device: &wgpu::Device,
        resources: impl IntoIterator<Item = (&'static str, wgpu::BindingResource<'a>)>,
    ) -> Result<BoundKernel, KernelError> {
        let resolved = resolve(&self.name, &self.bindings, resources)?;
        let entries: Vec<_> = resolved
            .into_iter()
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        Ok(BoundKernel {
            bind_group: device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &self.pipeline.get_bind_group_layout(0),
                entries: &entries,
            }),
            pipeline: self.pipeline.clone(),
        })
    }
}

impl BoundKernel {
    /// Records a dispatch of `x` times `y` workgroups.
    pub fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>, [x, y]: [u32; 2]) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x, y, 1);
    }
}
