// Rows of f32 become rows of a storage type. An invocation packs one unit: elements that share a
// word, or a scale.

struct Shape {
    units: u32,
    // Workgroups per line of the grid.
    line: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> output: array<{{ pair_type }}>;
@group(0) @binding(2) var<uniform> shape: Shape;

const LANES: u32 = {{ lanes }}u;
{{ write_functions() }}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let unit = (group.y * shape.line + group.x) * LANES + lane;
    if unit >= shape.units {
        return;
    }
    let pair = unit * {{ unit // 2 }}u;
{%- for i in range(unit // 2) %}
    let pair{{ i }} = input[pair + {{ i }}u];
{%- endfor %}
{{ write_pairs("output", "pair", unit // 2) }}
}
