// output[token, row] = sum over i of weight[row, i] * input[token, i], in tiles of 32 tokens and 64
// rows. A workgroup dequantises each group of weights once for all its tokens. `group_weights`
// comes from one of shaders/blocks, which takes the bindings before these.

struct Shape {
    rows: u32,
    // Groups of 32 elements per row.
    groups: u32,
    tokens: u32,
    // Tiles of rows, and workgroups per line of the grid.
    row_tiles: u32,
    line: u32,
    // First group of the matrix in its planes.
    first: u32,
}

@group(0) @binding({{ input }}) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding({{ output }}) var<storage, read_write> output: array<f32>;
@group(0) @binding({{ shape }}) var<uniform> shape: Shape;

const ROWS: u32 = 64u;
const TOKENS: u32 = 32u;

// Part p of row r's or token t's group is at p * ROWS + r or p * TOKENS + t: neighbouring lanes
// then read neighbours.
var<workgroup> weights: array<vec4<f32>, 512>;
var<workgroup> inputs: array<vec4<f32>, 256>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let tile = workgroup.y * shape.line + workgroup.x;
    let first_row = tile % shape.row_tiles * ROWS;
    let first_token = tile / shape.row_tiles * TOKENS;
    if first_token >= shape.tokens {
        return;
    }

    // The row's group, and the half of a token's, that this lane loads.
    let row = shape.first + min(first_row + lane, shape.rows - 1u) * shape.groups;
    let brought = lane % TOKENS;
    let token = min(first_token + brought, shape.tokens - 1u) * shape.groups;
    let part = lane / TOKENS * 4u;
    // The 8 rows, 8 apart, and the 4 tokens, 8 apart, whose products this lane sums.
    let column = lane % 8u;
    let line = lane / 8u;
    var a0 = vec4<f32>(0.0);
    var a1 = vec4<f32>(0.0);
    var b0 = vec4<f32>(0.0);
    var b1 = vec4<f32>(0.0);
    var c0 = vec4<f32>(0.0);
    var c1 = vec4<f32>(0.0);
    var d0 = vec4<f32>(0.0);
    var d1 = vec4<f32>(0.0);

    for (var k = 0u; k < shape.groups; k += 1u) {
        let w = group_weights(row + k);
        weights[lane] = w[0];
        weights[ROWS + lane] = w[1];
        weights[2u * ROWS + lane] = w[2];
        weights[3u * ROWS + lane] = w[3];
        weights[4u * ROWS + lane] = w[4];
        weights[5u * ROWS + lane] = w[5];
        weights[6u * ROWS + lane] = w[6];
        weights[7u * ROWS + lane] = w[7];
        let x = 8u * (token + k) + part;
        inputs[part * TOKENS + brought] = input[x];
        inputs[(part + 1u) * TOKENS + brought] = input[x + 1u];
        inputs[(part + 2u) * TOKENS + brought] = input[x + 2u];
        inputs[(part + 3u) * TOKENS + brought] = input[x + 3u];
        workgroupBarrier();
        for (var p = 0u; p < 8u; p += 1u) {
            let at = p * ROWS + column;
            let w0 = weights[at];
            let w1 = weights[at + 8u];
            let w2 = weights[at + 16u];
            let w3 = weights[at + 24u];
            let w4 = weights[at + 32u];
            let w5 = weights[at + 40u];
            let w6 = weights[at + 48u];
            let w7 = weights[at + 56u];
            let from_input = p * TOKENS + line;
            let xa = inputs[from_input];
            a0 += vec4<f32>(dot(w0, xa), dot(w1, xa), dot(w2, xa), dot(w3, xa));
            a1 += vec4<f32>(dot(w4, xa), dot(w5, xa), dot(w6, xa), dot(w7, xa));
            let xb = inputs[from_input + 8u];
            b0 += vec4<f32>(dot(w0, xb), dot(w1, xb), dot(w2, xb), dot(w3, xb));
            b1 += vec4<f32>(dot(w4, xb), dot(w5, xb), dot(w6, xb), dot(w7, xb));
            let xc = inputs[from_input + 16u];
            c0 += vec4<f32>(dot(w0, xc), dot(w1, xc), dot(w2, xc), dot(w3, xc));
            c1 += vec4<f32>(dot(w4, xc), dot(w5, xc), dot(w6, xc), dot(w7, xc));
            let xd = inputs[from_input + 24u];
            d0 += vec4<f32>(dot(w0, xd), dot(w1, xd), dot(w2, xd), dot(w3, xd));
            d1 += vec4<f32>(dot(w4, xd), dot(w5, xd), dot(w6, xd), dot(w7, xd));
        }
        workgroupBarrier();
    }

    put(first_token + line, first_row + column, a0, a1);
    put(first_token + line + 8u, first_row + column, b0, b1);
    put(first_token + line + 16u, first_row + column, c0, c1);
    put(first_token + line + 24u, first_row + column, d0, d1);
}

fn put(token: u32, row: u32, early: vec4<f32>, late: vec4<f32>) {
    if token >= shape.tokens {
        return;
    }
    let start = token * shape.rows;
    for (var i = 0u; i < 4u; i += 1u) {
        if row + 8u * i < shape.rows {
            output[start + row + 8u * i] = early[i];
        }
        if row + 32u + 8u * i < shape.rows {
            output[start + row + 32u + 8u * i] = late[i];
        }
    }
}
