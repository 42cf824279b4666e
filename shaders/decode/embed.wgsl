// Hidden state: the token's row of the embedding, the same times the first norm's weight, and its
// sums of squares. One lane per group of 32 elements. `group_weights` comes from shaders/blocks.

@group(0) @binding(_) var<storage, read_write> activations: array<vec4<f32>>;
@group(0) @binding(_) var<storage, read> norm: array<vec4<f32>>;
@group(0) @binding(_) var<storage, read> token: array<u32>;

const LANES: u32 = {{ tile }}u;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let group = id.x;
    if group >= {{ groups }}u {
        return;
    }
    var row = group_weights(min(token[0], {{ height - 1 }}u) * {{ groups }}u + group);
    var squares = 0.0;
    for (var part = 0u; part < 8u; part += 1u) {
        let x = {{ embedding_factor }}row[part];
        let at = 8u * group + part;
        activations[{{ at.hidden }}u + at] = x;
        activations[{{ at.weighted }}u + at] = x * norm[at];
        squares += dot(x, x);
    }
    activations[{{ at.squares }}u + group] = vec4<f32>(squares, 0.0, 0.0, 0.0);
}
