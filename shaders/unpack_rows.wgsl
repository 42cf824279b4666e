// Rows of a storage type become rows of f32. An invocation unpacks two neighbours.

struct Shape {
    pairs: u32,
    // Workgroups per line of the grid.
    line: u32,
}

@group(0) @binding(0) var<storage, read> input: array<{{ pair_type }}>;
@group(0) @binding(1) var<storage, read_write> output: array<vec2<f32>>;
@group(0) @binding(2) var<uniform> shape: Shape;

const LANES: u32 = {{ lanes }}u;
{{ read_functions() }}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = (group.y * shape.line + group.x) * LANES + lane;
    if index >= shape.pairs {
        return;
    }
{{ read_pair("input", "index", "") }}
    output[index] = pair;
}
