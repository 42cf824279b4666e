// Eight rows per thread, a block of the matrix at a time, in f32. Each input element is read once
// per quad. As the decode step's `serial` in quads, but with the matrix in a texture: a texel is a
// block's nibbles. `nibbles` gives four elements of a word.

@group(0) @binding(0) var quants: texture_2d<u32>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(4)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(subgroup_invocation_id) member: u32,
) {
    let first = 8u * id.x;
    let ones = vec4<f32>(1.0);
{%- for r in range(8) %}
    var sum{{ r }} = 0.0;
{%- endfor %}
    for (var k = 0u; k < BLOCKS; k += 1u) {
        let at = 8u * k;
{%- for i in range(8) %}
        let x{{ i }} = of_quad(input[at + {{ i }}u][member % 4u]);
{%- endfor %}
        let total = dot(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7, ones);
{%- for r in range(8) %}
        {
            let q = textureLoad(quants, vec2<u32>(k, first + {{ r }}u), 0);
            let r = q >> vec4<u32>(4u);
            let low = nibbles(q.x) * x0 + nibbles(q.y) * x1 + nibbles(q.z) * x2 + nibbles(q.w) * x3;
            let high = nibbles(r.x) * x4 + nibbles(r.y) * x5 + nibbles(r.z) * x6
                + nibbles(r.w) * x7;
            let dm = unpack2x16float(scales[(first + {{ r }}u) * BLOCKS + k]);
            sum{{ r }} += dm.x * dot(low + high, ones) + dm.y * total;
        }
{%- endfor %}
    }
{%- for r in range(8) %}
    output[first + {{ r }}u] = sum{{ r }};
{%- endfor %}
}
