// output[token, row] = sum over i of weight[row, i] * input[token, i], for adapters that run on a CPU: a lane has {{ rows }} rows and
// {{ tokens }} tokens, so that what it loads serves many products, and no memory of a workgroup has to be cleared. `group_weights` comes
// from one of shaders/blocks, which takes the bindings before these.

struct Shape {
    rows: u32,
    // Groups of 32 elements a row.
    groups: u32,
    tokens: u32,
    // Tiles of rows, and workgroups on a line of the grid.
    row_tiles: u32,
    line: u32,
    // The group that the matrix begins with in its planes.
    first: u32,
}

@group(0) @binding({{ input }}) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding({{ output }}) var<storage, read_write> output: array<f32>;
@group(0) @binding({{ shape }}) var<uniform> shape: Shape;

const LANES: u32 = 4u;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let tile = workgroup.y * shape.line + workgroup.x;
    let row = (tile % shape.row_tiles * LANES + lane) * {{ rows }}u;
    let token = tile / shape.row_tiles * {{ tokens }}u;
    if token >= shape.tokens {
        return;
    }
{%- for t in range(tokens) %}
    let token{{ t }} = min(token + {{ t }}u, shape.tokens - 1u) * shape.groups;
{%- endfor %}
{%- for r in range(rows) %}
    let row{{ r }} = shape.first + min(row + {{ r }}u, shape.rows - 1u) * shape.groups;
{%- for t in range(tokens) %}
    var s{{ r }}_{{ t }} = 0.0;
{%- endfor %}
{%- endfor %}
    for (var k = 0u; k < shape.groups; k += 1u) {
{%- for t in range(tokens) %}
{%- for part in range(8) %}
        let x{{ t }}_{{ part }} = input[8u * (token{{ t }} + k) + {{ part }}u];
{%- endfor %}
{%- endfor %}
{%- for r in range(rows) %}
        {
            let w = group_weights(row{{ r }} + k);
{%- for t in range(tokens) %}
            let early{{ t }} = fma(w[0], x{{ t }}_0, fma(w[1], x{{ t }}_1, fma(w[2], x{{ t }}_2, w[3] * x{{ t }}_3)));
            let late{{ t }} = fma(w[4], x{{ t }}_4, fma(w[5], x{{ t }}_5, fma(w[6], x{{ t }}_6, w[7] * x{{ t }}_7)));
            s{{ r }}_{{ t }} += dot(early{{ t }} + late{{ t }}, vec4<f32>(1.0));
{%- endfor %}
        }
{%- endfor %}
    }
{%- for t in range(tokens) %}
    if token + {{ t }}u < shape.tokens {
{%- for r in range(rows) %}
        if row + {{ r }}u < shape.rows {
            output[(token + {{ t }}u) * shape.rows + row + {{ r }}u] = s{{ r }}_{{ t }};
        }
{%- endfor %}
    }
{%- endfor %}
}
