// The two f16 in each u32 become f32, the low one first.

struct Shape {
    words: u32,
    // Workgroups on a line of the grid.
    line: u32,
}

@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> output: array<vec2<f32>>;
@group(0) @binding(2) var<uniform> shape: Shape;

const LANES: u32 = 64;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let word = (group.y * shape.line + group.x) * LANES + lane;
    if word < shape.words {
        output[word] = unpack2x16float(input[word]);
    }
}
