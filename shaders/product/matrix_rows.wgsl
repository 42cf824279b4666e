// output[n] = row tokens[n] of the weights in f32, or row n if all are wanted. One lane per group
// of 32 elements. `group_weights` comes from one of shaders/blocks, which takes the bindings before
// these.

struct Shape {
    rows: u32,
    // Groups of 32 elements per row.
    groups: u32,
    tokens: u32,
    // Workgroups per line of the grid.
    line: u32,
    // First group of the matrix in its planes.
    first: u32,
}

{% if not all -%}
@group(0) @binding({{ input }}) var<storage, read> tokens: array<u32>;
{% endif -%}
@group(0) @binding({{ output }}) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding({{ shape }}) var<uniform> shape: Shape;

const LANES: u32 = 64u;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (workgroup.y * shape.line + workgroup.x) * LANES + lane;
    if at >= shape.tokens * shape.groups {
        return;
    }
{%- if all %}
    let row = at / shape.groups;
{%- else %}
    let row = min(tokens[at / shape.groups], shape.rows - 1u);
{%- endif %}
    let w = group_weights(shape.first + row * shape.groups + at % shape.groups);
{%- for part in range(8) %}
    output[8u * at + {{ part }}u] = w[{{ part }}];
{%- endfor %}
}
