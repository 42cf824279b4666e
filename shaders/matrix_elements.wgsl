// output[row, i] = the matrix's elements in f32, one lane a group of 32 of them. `group_weights` comes from one of
// shaders/blocks, which takes the bindings before these.

struct Shape {
    // Groups of 32 elements.
    groups: u32,
    // Workgroups on a line of the grid.
    line: u32,
    // The group that the matrix begins with in its planes.
    first: u32,
}

@group(0) @binding({{ output }}) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding({{ shape }}) var<uniform> shape: Shape;

const LANES: u32 = 64u;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = (workgroup.y * shape.line + workgroup.x) * LANES + lane;
    if group >= shape.groups {
        return;
    }
    let w = group_weights(shape.first + group);
{%- for part in range(8) %}
    output[8u * group + {{ part }}u] = w[{{ part }}];
{%- endfor %}
}
