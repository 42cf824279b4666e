// RoPE (Su et al., arXiv 2104.09864, eq. 34): rotates pairs of a head's elements by an angle from
// the position. Puts heads before tokens, as the cache expects. One lane per pair.

struct Shape {
    tokens: u32,
    heads: u32,
    // Elements per head, an even number.
    dim: u32,
    // Rotated elements per head, the first ones.
    turned: u32,
    // Pairs are neighbours (1) or half of the rotated elements apart (0).
    neighbours: u32,
    // Workgroups per line of the grid.
    line: u32,
}

// [tokens, heads, dim]
@group(0) @binding(0) var<storage, read> input: array<f32>;
// [tokens, turned / 2]: cosine and sine
@group(0) @binding(1) var<storage, read> angles: array<vec2<f32>>;
// [heads, tokens, dim]
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

const LANES: u32 = 64u;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (workgroup.y * shape.line + workgroup.x) * LANES + lane;
    let pairs = shape.dim / 2u;
    if at >= shape.tokens * shape.heads * pairs {
        return;
    }
    let pair = at % pairs;
    let head = at / pairs % shape.heads;
    let token = at / pairs / shape.heads;
    let source = (token * shape.heads + head) * shape.dim;
    let destination = (head * shape.tokens + token) * shape.dim;

    let turned = shape.turned / 2u;
    if pair >= turned {
        output[destination + 2u * pair] = input[source + 2u * pair];
        output[destination + 2u * pair + 1u] = input[source + 2u * pair + 1u];
        return;
    }
    let first = select(pair, 2u * pair, shape.neighbours == 1u);
    let second = select(pair + turned, 2u * pair + 1u, shape.neighbours == 1u);
    let x = input[source + first];
    let y = input[source + second];
    let angle = angles[token * turned + pair];
    output[destination + first] = x * angle.x - y * angle.y;
    output[destination + second] = y * angle.x + x * angle.y;
}
