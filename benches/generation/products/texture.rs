//! A decode step's product with its matrix in a texture, for comparison; the decode step does not
//! use one. An adapter on a CPU loads a texel as one vector, but a buffer word by word.

use kvscope::device::Gpu;
use kvscope::fused::{DecodePipeline, KernelVariant, ShaderSources};
use kvscope::kernels::KernelError;

use super::data::{BLOCKS, Data, ROWS, WIDTH};
use super::{Job, Kind, Timed, filled, machine, ours};

const NAME: &str = "eight rows a thread in quads, texels";
/// Rows per workgroup: its threads are one quad.
const TILE: usize = 32;

/// None where a device has no quads.
pub fn job(gpu: &Gpu, data: &Data) -> Result<Option<Job>, KernelError> {
    if !gpu.shader_abilities().has_quads() {
        return Ok(None);
    }
    let (device, queue) = gpu.wgpu();
    let storage = wgpu::BufferUsages::STORAGE;
    let quants = texture(device, queue, &data.quants);
    let buffers = [
        filled(device, queue, &data.scales, storage),
        filled(device, queue, &data.input, storage),
        filled(device, queue, &[0.0_f32; ROWS], storage),
    ];
    let sizes = format!("const BLOCKS: u32 = {BLOCKS}u;");
    let texts = ShaderSources(&[
        &sizes,
        machine::MASKED,
        include_str!("../../../shaders/decode/of_quad.wgsl"),
        include_str!("from_texture.wgsl"),
    ]);
    let particular = KernelVariant::default();
    let pipeline = DecodePipeline::new(device, NAME, &texts, &ours::SIZES, &particular);
    let [scales, input, output] = &buffers;
    let bound = [
        ("quants", wgpu::BindingResource::TextureView(&quants)),
        ("scales", scales.resource()),
        ("input", input.resource()),
        ("output", output.resource()),
    ];
    let kernel = pipeline.bind_resources(device, bound)?;
    let [.., output] = buffers;
    Ok(Some(Job {
        timed: Timed::new(Kind::Texture, NAME, ROWS * WIDTH),
        kernel,
        grid: [(ROWS / TILE) as u32, 1],
        output,
        expected: data.expected.clone(),
        first: 0,
    }))
}

/// A texture of one texel per block and one line per row.
fn texture(device: &wgpu::Device, queue: &wgpu::Queue, quants: &[u32]) -> wgpu::TextureView {
    let size = wgpu::Extent3d {
        width: BLOCKS as u32,
        height: ROWS as u32,
        depth_or_array_layers: 1,
    };
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("kvscope bench"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba32Uint,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let layout = wgpu::TexelCopyBufferLayout {
        offset: 0,
        bytes_per_row: Some(16 * size.width),
        rows_per_image: None,
    };
    queue.write_texture(
        texture.as_image_copy(),
        bytemuck::cast_slice(quants),
        layout,
        size,
    );
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}
