// output[token, row] = sum over i of weight[row, i] * input[token, i], in tiles of 32 tokens and 32 rows: a workgroup
// dequantises each group of weights once for all its tokens. `group_weights` comes from one of shaders/blocks, which
// takes the bindings before these.

struct Shape {
    rows: u32,
    // Groups of 32 elements a row.
    groups: u32,
    tokens: u32,
    // Tiles of rows, and workgroups on a line of the grid.
    row_tiles: u32,
    line: u32,
}

@group(0) @binding({{ input }}) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding({{ output }}) var<storage, read_write> output: array<f32>;
@group(0) @binding({{ shape }}) var<uniform> shape: Shape;

const TILE: u32 = 32u;

// Element `part` of row r or token t is at part * TILE + r or t, so that neighbouring lanes read neighbours.
var<workgroup> weights: array<vec4<f32>, 256>;
var<workgroup> inputs: array<vec4<f32>, 256>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let tile = workgroup.y * shape.line + workgroup.x;
    let first_row = tile % shape.row_tiles * TILE;
    let first_token = tile / shape.row_tiles * TILE;
    if first_token >= shape.tokens {
        return;
    }

    // The row or token that this lane brings in.
    let brought = lane % TILE;
    let row = min(first_row + brought, shape.rows - 1u);
    let token = min(first_token + brought, shape.tokens - 1u);
    // The 4 rows, 8 apart, and the 4 tokens, 8 apart, whose products this lane sums.
    let column = lane % 8u;
    let line = lane / 8u;
    var a = vec4<f32>(0.0);
    var b = vec4<f32>(0.0);
    var c = vec4<f32>(0.0);
    var d = vec4<f32>(0.0);

    for (var k = 0u; k < shape.groups; k += 1u) {
        if lane < TILE {
            let w = group_weights(row * shape.groups + k);
            weights[brought] = w[0];
            weights[TILE + brought] = w[1];
            weights[2u * TILE + brought] = w[2];
            weights[3u * TILE + brought] = w[3];
            weights[4u * TILE + brought] = w[4];
            weights[5u * TILE + brought] = w[5];
            weights[6u * TILE + brought] = w[6];
            weights[7u * TILE + brought] = w[7];
        } else {
            let x = 8u * (token * shape.groups + k);
            for (var part = 0u; part < 8u; part += 1u) {
                inputs[part * TILE + brought] = input[x + part];
            }
        }
        workgroupBarrier();
        for (var part = 0u; part < 8u; part += 1u) {
            let w = part * TILE + column;
            let x = part * TILE + line;
            let w0 = weights[w];
            let w1 = weights[w + 8u];
            let w2 = weights[w + 16u];
            let w3 = weights[w + 24u];
            let x0 = inputs[x];
            let x1 = inputs[x + 8u];
            let x2 = inputs[x + 16u];
            let x3 = inputs[x + 24u];
            a += vec4<f32>(dot(w0, x0), dot(w1, x0), dot(w2, x0), dot(w3, x0));
            b += vec4<f32>(dot(w0, x1), dot(w1, x1), dot(w2, x1), dot(w3, x1));
            c += vec4<f32>(dot(w0, x2), dot(w1, x2), dot(w2, x2), dot(w3, x2));
            d += vec4<f32>(dot(w0, x3), dot(w1, x3), dot(w2, x3), dot(w3, x3));
        }
        workgroupBarrier();
    }

    put(first_token + line, first_row + column, a);
    put(first_token + line + 8u, first_row + column, b);
    put(first_token + line + 16u, first_row + column, c);
    put(first_token + line + 24u, first_row + column, d);
}

fn put(token: u32, row: u32, sums: vec4<f32>) {
    if token >= shape.tokens {
        return;
    }
    let start = token * shape.rows;
    if row < shape.rows {
        output[start + row] = sums.x;
    }
    if row + 8u < shape.rows {
        output[start + row + 8u] = sums.y;
    }
    if row + 16u < shape.rows {
        output[start + row + 16u] = sums.z;
    }
    if row + 24u < shape.rows {
        output[start + row + 24u] = sums.w;
    }
}
