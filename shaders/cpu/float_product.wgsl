// output[token, row] = sum over i of weights[row, i] * input[token, i], for adapters that run on a
// CPU: a lane has {{ rows }} rows and {{ tokens }} tokens, because there a load costs as much as
// tens of products, whatever its width and wherever from.

struct Shape {
    rows: u32,
    // Vectors of four elements per row.
    quads: u32,
    tokens: u32,
    // Tiles of tokens, and workgroups on a line of the grid.
    token_tiles: u32,
    line: u32,
}

@group(0) @binding(0) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

// As many as an instruction serves there.
const LANES: u32 = 4u;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let tile = workgroup.y * shape.line + workgroup.x;
    let row = (tile / shape.token_tiles * LANES + lane) * {{ rows }}u;
    let token = tile % shape.token_tiles * {{ tokens }}u;
    if row >= shape.rows {
        return;
    }
{%- for t in range(tokens) %}
    let token{{ t }} = min(token + {{ t }}u, shape.tokens - 1u) * shape.quads;
{%- endfor %}
{%- for r in range(rows) %}
    let row{{ r }} = min(row + {{ r }}u, shape.rows - 1u) * shape.quads;
{%- for t in range(tokens) %}
    var s{{ r }}_{{ t }} = 0.0;
{%- endfor %}
{%- endfor %}
    for (var quad = 0u; quad < shape.quads; quad += 1u) {
{%- for t in range(tokens) %}
        let x{{ t }} = input[token{{ t }} + quad];
{%- endfor %}
{%- for r in range(rows) %}
        let w{{ r }} = weights[row{{ r }} + quad];
{%- for t in range(tokens) %}
        s{{ r }}_{{ t }} +=
            (w{{ r }}.x * x{{ t }}.x + w{{ r }}.y * x{{ t }}.y)
            + (w{{ r }}.z * x{{ t }}.z + w{{ r }}.w * x{{ t }}.w);
{%- endfor %}
{%- endfor %}
    }
{%- for t in range(tokens) %}
    if token + {{ t }}u < shape.tokens {
        let start = (token + {{ t }}u) * shape.rows;
{%- for r in range(rows) %}
        if row + {{ r }}u < shape.rows {
            output[start + row + {{ r }}u] = s{{ r }}_{{ t }};
        }
{%- endfor %}
    }
{%- endfor %}
}
