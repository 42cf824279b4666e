// output[row] = sum over i of weight[row, i] * input[i]. Eight lanes share four rows: neighbours
// read neighbouring groups, and each load of the input serves all four. `group_weights` comes from
// one of shaders/blocks, which takes the bindings before these.

struct Shape {
    rows: u32,
    // Groups of 32 elements per row.
    groups: u32,
    // Workgroups per line of the grid.
    line: u32,
    // First group of the matrix in its planes.
    first: u32,
}

@group(0) @binding({{ input }}) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding({{ output }}) var<storage, read_write> output: array<f32>;
@group(0) @binding({{ shape }}) var<uniform> shape: Shape;

// Rows per workgroup, rows per lane, and lanes per row.
const ROWS: u32 = 32u;
const OWN: u32 = 4u;
const LANES: u32 = 8u;

var<workgroup> sums: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let row = (workgroup.y * shape.line + workgroup.x) * ROWS + index / LANES * OWN;
    let lane = index % LANES;
    // A row past the end repeats the last; its result is not written.
    let last = shape.rows - 1u;
    let first = shape.first + min(row, last) * shape.groups;
    let second = shape.first + min(row + 1u, last) * shape.groups;
    let third = shape.first + min(row + 2u, last) * shape.groups;
    let fourth = shape.first + min(row + 3u, last) * shape.groups;

    var sum = vec4<f32>(0.0);
    for (var k = lane; k < shape.groups; k += LANES) {
        let at = 8u * k;
        let x = array<vec4<f32>, 8>(
            input[at], input[at + 1u], input[at + 2u], input[at + 3u],
            input[at + 4u], input[at + 5u], input[at + 6u], input[at + 7u],
        );
        sum += vec4<f32>(
            product(group_weights(first + k), x),
            product(group_weights(second + k), x),
            product(group_weights(third + k), x),
            product(group_weights(fourth + k), x),
        );
    }
    sums[index] = sum;
    workgroupBarrier();
    if lane == 0u {
        let whole = ((sums[index] + sums[index + 4u]) + (sums[index + 2u] + sums[index + 6u]))
            + ((sums[index + 1u] + sums[index + 5u]) + (sums[index + 3u] + sums[index + 7u]));
        for (var own = 0u; own < OWN; own += 1u) {
            if row + own < shape.rows {
                output[row + own] = whole[own];
            }
        }
    }
}

fn product(w: array<vec4<f32>, 8>, x: array<vec4<f32>, 8>) -> f32 {
    let sum = w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3]
        + w[4] * x[4] + w[5] * x[5] + w[6] * x[6] + w[7] * x[7];
    return (sum.x + sum.y) + (sum.z + sum.w);
}
