//! The kernels of a decode step, one place per kernel: its WGSL, its buffers by name, its grid.
//!
//! Shapes are in elements, the last dimension contiguous. `matrix · x` is a product with a matrix
//! whose rows are in blocks of its file's format.

use super::buffers::{AttentionScratch, StepBuffers};
use super::draw::DrawBuffers;
use super::pipeline::BoundKernel;
use super::sizes::SPLIT;
use super::submission::Dispatch;
use super::weights::{HeadsBuffers, MatrixBuffers};
use super::{DecodeSizes, KernelVariant, MatrixSpec, Pipelines, ShaderSources, Tuning};
use crate::cache::LayerBuffers;
use crate::device::Gpu;
use crate::kernels::block_source::GROUP;
use crate::kernels::{BoundBuffer, KernelError};
use crate::shaders::shader;

/// A kernel's name and templates, before they are rendered for a model.
pub(super) struct Kernel {
    /// Unique among the kernels.
    pub name: &'static str,
    /// The kernel's own template first.
    pub sources: ShaderSources<'static>,
}

/// A kernel of templates in `shaders/decode`, called as the first of them.
macro_rules! kernel {
    ($own:literal $(, $shared:literal)*) => {
        Kernel {
            name: $own,
            sources: ShaderSources(&[
                shader!("decode/", $own, ".wgsl")
                $(, shader!("decode/", $shared, ".wgsl"))*
            ]),
        }
    };
}

/// Compiles and binds kernels for one device, model, storage type and tuning.
pub(super) struct Binder<'a> {
    pub gpu: &'a Gpu,
    pub pipelines: &'a Pipelines,
    pub sizes: &'a DecodeSizes,
    pub tuning: Tuning,
    pub buffers: &'a StepBuffers,
}

/// Buffers that a layer's kernels are bound to, beside its weights.
pub(super) struct LayerBinding<'a> {
    /// The layer's slots in the cache.
    pub memory: &'a LayerBuffers,
    /// The uniform with the layer's number and capacity.
    pub place: BoundBuffer,
    pub scratch: &'a AttentionScratch,
}

impl Binder<'_> {
    const FIRST_EMPTY: Kernel = kernel!("first_empty");

    /// The first empty slot of each KV head, for the first token after a prompt.
    pub fn first_empty(&self, layer: &LayerBinding<'_>) -> Result<Dispatch, KernelError> {
        let bindings = [
            ("positions", &layer.memory.positions),
            ("next", &self.buffers.next),
            ("place", &layer.place),
        ];
        let grid = [self.sizes.kv_heads, 1];
        self.dispatch(&Self::FIRST_EMPTY, self.plain(), &bindings, grid)
    }

    const EMBED: Kernel = kernel!("embed");
    /// Groups of the embedding's row per workgroup.
    const EMBED_TILE: usize = 32;

    /// `hidden = embedding[token]`, times the weight of the first `norm`.
    pub fn embed(
        &self,
        embedding: &MatrixBuffers,
        norm: &BoundBuffer,
    ) -> Result<Dispatch, KernelError> {
        let bindings = [
            ("activations", &self.buffers.activations),
            ("norm", norm),
            ("token", &self.buffers.token),
        ];
        let grid = [(self.sizes.width / GROUP).div_ceil(Self::EMBED_TILE), 1];
        self.product(
            &Self::EMBED,
            embedding,
            self.matrix(embedding, Self::EMBED_TILE),
            &bindings,
            grid,
        )
    }

    const PROJECT_HEADS: Kernel = kernel!("project_heads", "product", "rms");

    /// `heads · norm(hidden)`, one head per workgroup; bias, the head's norm and RoPE where the
    /// model has them. Queries stay in the activations, the new key and value go to their slots.
    ///
    /// `extras` are the biases and the weights of the heads' norms, `rope` the layer's RoPE.
    pub fn project_heads(
        &self,
        layer: &LayerBinding<'_>,
        heads: &HeadsBuffers,
        extras: Option<&BoundBuffer>,
        rope: Option<usize>,
    ) -> Result<Dispatch, KernelError> {
        let variant = KernelVariant {
            first_head: heads.first_head,
            rope,
            ..self.matrix(&heads.matrix, self.sizes.dim)
        };
        let features = &self.sizes.features;
        let mut bindings = vec![("activations", &self.buffers.activations)];
        if !features.norms_of_all_heads {
            bindings.extend(self.heads_bindings(layer, rope));
        }
        // The norms of all heads are those of the next kernel.
        let extras = extras.filter(|_| !features.norms_of_all_heads || self.sizes.biases);
        bindings.extend(extras.map(|extras| ("extras", extras)));
        let grid = [heads.heads, 1];
        self.product(
            &Self::PROJECT_HEADS,
            &heads.matrix,
            variant,
            &bindings,
            grid,
        )
    }

    /// Buffers of the kernel that finishes heads: the step, and where rows go.
    fn heads_bindings<'a>(
        &'a self,
        layer: &'a LayerBinding<'_>,
        rope: Option<usize>,
    ) -> Vec<(&'static str, &'a BoundBuffer)> {
        let in_frame = self.sizes.in_frame();
        let mut bindings = Vec::new();
        if rope.is_some() || self.sizes.features.query_growth || !in_frame {
            bindings.push(("step", &self.buffers.step));
        }
        if !in_frame {
            bindings.extend([
                ("keys", &layer.memory.keys.slots),
                ("values", &layer.memory.values.slots),
                ("positions", &layer.memory.positions),
                ("next", &self.buffers.next),
                ("place", &layer.place),
            ]);
        }
        bindings
    }

    const FINISH_HEADS: Kernel = Kernel {
        name: "finish_heads",
        sources: Self::PROJECT_HEADS_ALONE,
    };
    const PROJECT_HEADS_ALONE: ShaderSources<'static> =
        ShaderSources(&[shader!("decode/project_heads.wgsl")]);

    /// The norm of all queries and of all keys, and what else `project_heads` does to heads in
    /// other models. `None` for these.
    pub fn finish_heads(
        &self,
        layer: &LayerBinding<'_>,
        extras: Option<&BoundBuffer>,
        rope: Option<usize>,
    ) -> Result<Option<Dispatch>, KernelError> {
        if !self.sizes.features.norms_of_all_heads {
            return Ok(None);
        }
        let variant = KernelVariant {
            rope,
            ..self.plain()
        };
        let mut bindings = self.heads_bindings(layer, rope);
        bindings.push(("activations", &self.buffers.activations));
        bindings.extend(extras.map(|extras| ("extras", extras)));
        let grid = [self.sizes.query_heads + 2 * self.sizes.kv_heads, 1];
        let dispatch = self.dispatch(&Self::FINISH_HEADS, variant, &bindings, grid)?;
        Ok(Some(dispatch))
    }

    const STORE_HEADS: Kernel = kernel!("store_heads", "rotated");

    /// Query, key and value into the frame of quantised rows, and the rows into their slots. `None`
    /// if the cache's types have no frame.
    pub fn store_heads(&self, layer: &LayerBinding<'_>) -> Result<Option<Dispatch>, KernelError> {
        if !self.sizes.in_frame() {
            return Ok(None);
        }
        let memory = layer.memory;
        let mut bindings = vec![
            ("activations", &self.buffers.activations),
            ("keys", &memory.keys.slots),
            ("values", &memory.values.slots),
            ("positions", &memory.positions),
            ("next", &self.buffers.next),
            ("step", &self.buffers.step),
            ("place", &layer.place),
        ];
        bindings.extend(memory.exact());
        bindings.extend(memory.frame.iter().map(|frame| ("frame", frame)));
        let grid = [self.sizes.query_heads + 2 * self.sizes.kv_heads, 1];
        let dispatch = self.dispatch(&Self::STORE_HEADS, self.plain(), &bindings, grid)?;
        Ok(Some(dispatch))
    }

    const ATTEND: Kernel = kernel!("attend");

    /// Attention of the query heads over one split of their KV head's slots.
    pub fn attend(&self, layer: &LayerBinding<'_>) -> Result<BoundKernel, KernelError> {
        let mut bindings = vec![
            ("keys", &layer.memory.keys.slots),
            ("values", &layer.memory.values.slots),
            ("positions", &layer.memory.positions),
            ("activations", &self.buffers.activations),
            ("partials", &layer.scratch.partials),
            ("logits", &layer.scratch.logits),
            ("step", &self.buffers.step),
            ("place", &layer.place),
        ];
        bindings.extend(layer.memory.exact());
        self.bind(&Self::ATTEND, self.plain(), &bindings)
    }

    const COMBINE: Kernel = kernel!("combine", "rotated");

    /// The splits of each query head as one, and the slot of the next token if one is empty.
    pub fn combine(&self, layer: &LayerBinding<'_>) -> Result<Dispatch, KernelError> {
        let bindings = [
            ("partials", &layer.scratch.partials),
            ("activations", &self.buffers.activations),
            ("next", &self.buffers.next),
            ("stats", &self.buffers.stats),
            ("step", &self.buffers.step),
            ("place", &layer.place),
        ];
        let grid = [self.sizes.query_heads, 1];
        self.dispatch(&Self::COMBINE, self.plain(), &bindings, grid)
    }

    const EVICT: Kernel = kernel!("evict");

    /// Scores of all slots per KV head, and the slots that the step's order evicts.
    pub fn evict(&self, layer: &LayerBinding<'_>) -> Result<Dispatch, KernelError> {
        let bindings = [
            ("logits", &layer.scratch.logits),
            ("stats", &self.buffers.stats),
            ("scores", &layer.memory.scores),
            ("positions", &layer.memory.positions),
            ("next", &self.buffers.next),
            ("step", &self.buffers.step),
            ("place", &layer.place),
        ];
        let grid = [self.sizes.kv_heads, 1];
        self.dispatch(&Self::EVICT, self.plain(), &bindings, grid)
    }

    const ADD_PRODUCT: Kernel = kernel!("add_product", "product");
    /// Rows per workgroup: those whose squares are summed together.
    const ADD_PRODUCT_TILE: usize = GROUP;

    /// `hidden += matrix · x + bias`, times the weight of the `norm` that comes next. `x` begins at
    /// vector `input` of the activations. Where another norm comes before the sum, that is
    /// [`add_normed`](Self::add_normed)'s.
    pub fn add_product(
        &self,
        matrix: &MatrixBuffers,
        input: usize,
        norm: &BoundBuffer,
        bias: Option<&BoundBuffer>,
    ) -> Result<Dispatch, KernelError> {
        let variant = KernelVariant {
            input,
            bias: bias.is_some(),
            ..self.matrix(matrix, Self::ADD_PRODUCT_TILE)
        };
        let mut bindings = vec![("activations", &self.buffers.activations)];
        if !self.sizes.features.post_norms() {
            bindings.push(("norm", norm));
        }
        bindings.extend(bias.map(|bias| ("bias", bias)));
        let grid = [self.sizes.width / Self::ADD_PRODUCT_TILE, 1];
        self.product(&Self::ADD_PRODUCT, matrix, variant, &bindings, grid)
    }

    const ADD_NORMED: Kernel = kernel!("add_normed");

    /// `hidden += post_norm(product)`, times the weight of the `norm` that comes next.
    pub fn add_normed(
        &self,
        post_norm: &BoundBuffer,
        norm: &BoundBuffer,
    ) -> Result<Dispatch, KernelError> {
        let bindings = [
            ("activations", &self.buffers.activations),
            ("post_norm", post_norm),
            ("norm", norm),
        ];
        let grid = [self.sizes.width / GROUP, 1];
        self.dispatch(&Self::ADD_NORMED, self.plain(), &bindings, grid)
    }

    const GATE_UP: Kernel = kernel!("gate_up", "product", "rms");
    /// Rows per workgroup, half of them gate's.
    const GATE_UP_TILE: usize = 32;

    /// `silu(gate · norm(hidden)) * (up · norm(hidden))`, or GELU; with biases, those of gate and
    /// below them those of up.
    pub fn gate_up(
        &self,
        matrix: &MatrixBuffers,
        biases: Option<&BoundBuffer>,
    ) -> Result<Dispatch, KernelError> {
        let mut bindings = vec![("activations", &self.buffers.activations)];
        bindings.extend(biases.map(|biases| ("biases", biases)));
        let grid = [self.sizes.feed_forward / (Self::GATE_UP_TILE / 2), 1];
        let variant = KernelVariant {
            bias: biases.is_some(),
            ..self.matrix(matrix, Self::GATE_UP_TILE)
        };
        self.product(&Self::GATE_UP, matrix, variant, &bindings, grid)
    }

    const LOGITS: Kernel = kernel!("logits", "product", "rms");
    /// Rows per workgroup.
    const LOGITS_TILE: usize = 64;
    /// The most workgroups along one side of a grid.
    const GRID_SIDE: usize = 65_535;

    /// `logits = output · norm(hidden)`.
    pub fn logits(&self, output: &MatrixBuffers) -> Result<Dispatch, KernelError> {
        let bindings = [
            ("activations", &self.buffers.activations),
            ("logits", &self.buffers.logits),
        ];
        let tiles = self.sizes.vocabulary.div_ceil(Self::LOGITS_TILE);
        let side = tiles.min(Self::GRID_SIDE);
        let grid = [side, tiles.div_ceil(side)];
        let variant = self.matrix(output, Self::LOGITS_TILE);
        self.product(&Self::LOGITS, output, variant, &bindings, grid)
    }

    const CHOOSE_PARTS: Kernel = kernel!("choose_parts", "both");

    /// The largest logit of each part of the vocabulary, and its sum of exponentials.
    pub fn choose_parts(&self) -> Result<Dispatch, KernelError> {
        let bindings = [
            ("logits", &self.buffers.logits),
            ("parts", &self.buffers.parts),
        ];
        let grid = [self.sizes.parts(), 1];
        self.dispatch(&Self::CHOOSE_PARTS, self.plain(), &bindings, grid)
    }

    const CHOOSE: Kernel = kernel!("choose", "both");

    /// The likeliest token, for the next step and for the report.
    pub fn choose(&self) -> Result<Dispatch, KernelError> {
        let bindings = [
            ("parts", &self.buffers.parts),
            ("token", &self.buffers.token),
            ("report", &self.buffers.report),
        ];
        self.dispatch(&Self::CHOOSE, self.plain(), &bindings, [1, 1])
    }

    const DRAW: Kernel = kernel!("draw", "both");

    /// A token drawn by the rules of the sampling configuration, in the place of `choose`.
    pub fn draw(&self, own: &DrawBuffers) -> Result<Dispatch, KernelError> {
        let bindings = [
            ("logits", &self.buffers.logits),
            ("parts", &self.buffers.parts),
            ("adjustments", &own.adjustments),
            ("settings", &own.settings),
            ("numbers", &own.numbers),
            ("token", &self.buffers.token),
            ("report", &self.buffers.report),
        ];
        self.dispatch(&Self::DRAW, self.plain(), &bindings, [1, 1])
    }

    const LIKELIEST: Kernel = kernel!("likeliest", "both");

    /// The likeliest tokens, for the report.
    pub fn likeliest(&self) -> Result<Dispatch, KernelError> {
        let bindings = [
            ("logits", &self.buffers.logits),
            ("parts", &self.buffers.parts),
            ("report", &self.buffers.report),
        ];
        self.dispatch(&Self::LIKELIEST, self.plain(), &bindings, [1, 1])
    }
}

/// The grid of `attend` when the first `reach` slots may be in use: splits by KV heads.
pub(super) fn attend_grid(sizes: &DecodeSizes, reach: usize) -> [u32; 2] {
    [reach.div_ceil(SPLIT) as u32, sizes.kv_heads as u32]
}

/// Steps that all kernels share.
impl Binder<'_> {
    /// The variant of a kernel without a matrix.
    fn plain(&self) -> KernelVariant {
        KernelVariant {
            tuning: self.tuning,
            ..KernelVariant::default()
        }
    }

    /// The variant of a kernel over `matrix`, with `tile` rows per workgroup.
    fn matrix(&self, matrix: &MatrixBuffers, tile: usize) -> KernelVariant {
        let shape = matrix.matrix.shape();
        let spec = MatrixSpec {
            format: shape.format,
            height: matrix.height,
            groups: shape.width / GROUP,
            tile,
        };
        KernelVariant {
            matrix: Some(spec),
            ..self.plain()
        }
    }

    /// Binds a kernel to the planes of `matrix` and to `bindings`.
    fn product(
        &self,
        kernel: &Kernel,
        matrix: &MatrixBuffers,
        variant: KernelVariant,
        bindings: &[(&'static str, &BoundBuffer)],
        grid: [usize; 2],
    ) -> Result<Dispatch, KernelError> {
        let scales = matrix.scales.iter().map(|scales| ("scales", scales));
        let planes = std::iter::once(("quants", &matrix.quants)).chain(scales);
        let bindings: Vec<_> = planes.chain(bindings.iter().copied()).collect();
        self.dispatch(kernel, variant, &bindings, grid)
    }

    fn dispatch(
        &self,
        kernel: &Kernel,
        variant: KernelVariant,
        bindings: &[(&'static str, &BoundBuffer)],
        grid: [usize; 2],
    ) -> Result<Dispatch, KernelError> {
        Ok(Dispatch {
            kernel: self.bind(kernel, variant, bindings)?,
            grid: grid.map(|workgroups| workgroups as u32),
        })
    }

    fn bind(
        &self,
        kernel: &Kernel,
        variant: KernelVariant,
        bindings: &[(&'static str, &BoundBuffer)],
    ) -> Result<BoundKernel, KernelError> {
        let pipeline = self.pipelines.get(self.gpu, kernel, self.sizes, variant);
        let (device, _) = self.gpu.wgpu();
        pipeline.bind(device, bindings.iter().copied())
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use wgpu::naga;
    use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

    use super::*;
    use crate::cache::{CacheType, CacheTypes};
    use crate::device::ShaderAbilities;
    use crate::formats::BlockFormat;
    use crate::fused::Features;
    use crate::fused::bindings::Numbered;
    use crate::fused::build::STORAGE_BUFFERS;
    use crate::fused::variant::render;
    use crate::model::NormPlaces;

    /// Every kernel, with the rows per workgroup of those that have a matrix.
    const ALL: [(&Kernel, Option<usize>); 16] = [
        (&Binder::FIRST_EMPTY, None),
        (&Binder::EMBED, Some(Binder::EMBED_TILE)),
        (&Binder::PROJECT_HEADS, Some(SIZES.dim)),
        (&Binder::FINISH_HEADS, None),
        (&Binder::STORE_HEADS, None),
        (&Binder::ATTEND, None),
        (&Binder::COMBINE, None),
        (&Binder::EVICT, None),
        (&Binder::ADD_PRODUCT, Some(Binder::ADD_PRODUCT_TILE)),
        (&Binder::ADD_NORMED, None),
        (&Binder::GATE_UP, Some(Binder::GATE_UP_TILE)),
        (&Binder::LOGITS, Some(Binder::LOGITS_TILE)),
        (&Binder::CHOOSE_PARTS, None),
        (&Binder::CHOOSE, None),
        (&Binder::DRAW, None),
        (&Binder::LIKELIEST, None),
    ];

    const SIZES: DecodeSizes = DecodeSizes {
        layers: 2,
        width: 96,
        feed_forward: 64,
        query_heads: 6,
        kv_heads: 2,
        dim: 32,
        vocabulary: 5000,
        epsilon: 1e-5,
        rotated: 16,
        interleaved: false,
        biases: false,
        head_norms: false,
        types: CacheTypes {
            keys: CacheType::F16,
            values: CacheType::F16,
        },
        scale: 0.25,
        features: Features::LLAMA,
    };

    fn models() -> Vec<DecodeSizes> {
        let with = |bits: u32| DecodeSizes {
            interleaved: bits & 1 != 0,
            biases: bits & 2 != 0,
            head_norms: bits & 4 != 0,
            features: features(bits),
            ..SIZES
        };
        let each = pairs_of_types().zip((0..8).cycle());
        each.map(|(types, bits)| DecodeSizes {
            types,
            ..with(bits)
        })
        .collect()
    }

    /// Llama's features for even numbers, others for odd ones.
    fn features(bits: u32) -> Features {
        if bits.is_multiple_of(2) {
            return Features::LLAMA;
        }
        Features {
            norms: [NormPlaces::After, NormPlaces::Sandwich][bits as usize / 2 % 2],
            norms_of_all_heads: bits & 4 == 0,
            gelu: bits & 2 != 0,
            embedding_scale: 1.5,
            residual_scale: 0.5,
            logit_scale: 0.25,
            ropes: 2,
            query_growth: true,
        }
    }

    /// Every storage type for keys with every one for values.
    fn pairs_of_types() -> impl Iterator<Item = CacheTypes> {
        let all = CacheType::ALL.iter();
        all.flat_map(|&keys| {
            CacheType::ALL
                .iter()
                .map(move |&values| CacheTypes { keys, values })
        })
    }

    fn tunings() -> Vec<Tuning> {
        let abilities = ShaderAbilities {
            subgroup: 8,
            integer_products: true,
        };
        let quads = [Tuning::SERIAL, Tuning::LIGHT].map(|tuning| tuning.in_quads(abilities));
        let mut tunings = Tuning::tried(abilities, BlockFormat::Q8_0);
        tunings.extend([Tuning::LIGHT, Tuning::SERIAL.in_integers()]);
        tunings.extend(quads);
        tunings.extend(quads.map(Tuning::in_integers));
        tunings
    }

    fn variant(format: BlockFormat, tile: Option<usize>, tuning: Tuning) -> KernelVariant {
        let matrix = tile.map(|tile| MatrixSpec {
            format,
            height: 71,
            groups: SIZES.width / GROUP,
            tile,
        });
        KernelVariant {
            matrix,
            tuning,
            rope: Some(0),
            ..KernelVariant::default()
        }
    }

    /// Asserts that the rendered WGSL is valid, and that its bindings are those that it uses.
    fn check(kernel: &Kernel, sizes: &DecodeSizes, variant: &KernelVariant) {
        let unused = [
            (&Binder::STORE_HEADS, !sizes.in_frame()),
            (&Binder::FINISH_HEADS, !sizes.features.norms_of_all_heads),
            (&Binder::ADD_NORMED, !sizes.features.post_norms()),
        ];
        if unused
            .iter()
            .any(|(it, unused)| *unused && it.name == kernel.name)
        {
            return;
        }
        let name = format!("{}, {variant:?}, {sizes:?}", kernel.name);
        let Numbered { text, bindings } = render(&kernel.sources, sizes, variant);
        let module = naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(&text)));
        let info = Validator::new(ValidationFlags::all(), Capabilities::all())
            .validate(&module)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(&text)));
        let main = info.get_entry_point(0);

        let mut declared = Vec::new();
        let mut storage = 0;
        for (handle, variable) in module.global_variables.iter() {
            let Some(at) = &variable.binding else {
                continue;
            };
            let own = variable.name.clone().unwrap_or_default();
            // A binding that is declared and not used is not in the layout, and can't be bound.
            assert!(!main[handle].is_empty(), "{name}: {own} is not used");
            assert_eq!(at.group, 0, "{name}: {own}");
            let is_storage = matches!(variable.space, naga::AddressSpace::Storage { .. });
            storage += u32::from(is_storage);
            declared.push((own, at.binding));
        }
        let found = bindings.into_iter();
        let mut found: Vec<_> = found.map(|it| (it.name, it.number)).collect();
        found.sort();
        declared.sort();
        assert_eq!(found, declared, "{name}");
        for (index, (own, number)) in found.iter().enumerate() {
            let before = &found[..index];
            let is_new = before
                .iter()
                .all(|other| other.0 != *own && other.1 != *number);
            assert!(is_new, "{name}: {own}");
        }
        assert!(
            storage <= STORAGE_BUFFERS,
            "{name}: {storage} storage buffers"
        );
    }

    #[test]
    fn every_kernel_is_valid_for_every_format_and_tuning() {
        for (kernel, tile) in ALL {
            let formats = if tile.is_some() {
                &BlockFormat::ALL[..]
            } else {
                &BlockFormat::ALL[..1]
            };
            for &format in formats {
                for tuning in tunings() {
                    check(kernel, &SIZES, &variant(format, tile, tuning));
                }
            }
        }
    }

    #[test]
    fn every_kernel_is_valid_for_every_kind_of_model() {
        for (kernel, tile) in ALL {
            for sizes in models() {
                let plain = variant(BlockFormat::Q4_K, tile, Tuning::SERIAL);
                let ropes = [None, Some(sizes.features.ropes - 1)];
                for (rope, bias) in ropes.into_iter().zip([true, false]) {
                    let variant = KernelVariant {
                        rope,
                        bias,
                        ..plain
                    };
                    check(kernel, &sizes, &variant);
                }
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names = ALL.map(|(kernel, _)| kernel.name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
