// output[token, row] = sum over i of weights[row, i] * input[token, i], for adapters that run on a
// CPU and have quads: a lane keeps {{ inner }} elements of {{ rows }} rows at hand and goes over
// the tokens. An element of the input is loaded by one lane of four and reaches the others by
// swaps, each an instruction there where a load takes some seventy, and the elements of the rows
// are laid out for what the swaps bring.

struct Shape {
    rows: u32,
    width: u32,
    tokens: u32,
    // Workgroups on a line of the grid.
    line: u32,
}

@group(0) @binding(0) var<storage, read> weights: array<f32>;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

const LANES: u32 = 4u;
const ROWS: u32 = {{ rows }}u;
const INNER: u32 = {{ inner }}u;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) place: u32,
) {
    let row = ((workgroup.y * shape.line + workgroup.x) * LANES + lane) * ROWS;
    let corner = place % 4u;
    // Of a lane beyond the last row, the swaps still need the input.
    let within = row < shape.rows;
    let first = select(0u, row, within) * shape.width;
    var held: array<f32, {{ rows * inner }}>;
    for (var start = 0u; start < shape.width; start += INNER) {
        for (var i = 0u; i < INNER; i += 1u) {
{%- for r in range(rows) %}
            held[i * ROWS + {{ r }}u] =
                weights[first + {{ r }}u * shape.width + start + (i ^ corner)];
{%- endfor %}
        }
        for (var token = 0u; token < shape.tokens; token += 1u) {
            let begin = token * shape.width + start + corner;
{%- for quad in range(inner // 4) %}
            let x{{ 4 * quad }} = input[begin + {{ 4 * quad }}u];
{%- endfor %}
            {{ sums }}
            let at = token * shape.rows + row;
            if within {
{%- for r in range(rows) %}
                output[at + {{ r }}u] =
                    select(s{{ r }} + output[at + {{ r }}u], s{{ r }}, start == 0u);
{%- endfor %}
            }
        }
    }
}
