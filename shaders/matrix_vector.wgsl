// output[row] = sum over i of weight[row, i] * input[i]. Some lanes share a row: neighbours read neighbouring groups.
// `group_weights` comes from one of shaders/blocks, which takes the bindings before these.

struct Shape {
    rows: u32,
    // Groups of 32 elements a row.
    groups: u32,
    // Workgroups on a line of the grid.
    line: u32,
}

@group(0) @binding({{ input }}) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding({{ output }}) var<storage, read_write> output: array<f32>;
@group(0) @binding({{ shape }}) var<uniform> shape: Shape;

const ROWS: u32 = 8u;
const LANES: u32 = 8u;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let row = (workgroup.y * shape.line + workgroup.x) * ROWS + index / LANES;
    let lane = index % LANES;
    var sum = 0.0;
    if row < shape.rows {
        for (var k = lane; k < shape.groups; k += LANES) {
            let w = group_weights(row * shape.groups + k);
            let x = 8u * k;
            sum += dot(w[0], input[x]) + dot(w[1], input[x + 1u])
                + dot(w[2], input[x + 2u]) + dot(w[3], input[x + 3u])
                + dot(w[4], input[x + 4u]) + dot(w[5], input[x + 5u])
                + dot(w[6], input[x + 6u]) + dot(w[7], input[x + 7u]);
        }
    }
    sums[index] = sum;
    workgroupBarrier();
    if lane == 0u && row < shape.rows {
        output[row] = ((sums[index] + sums[index + 4u]) + (sums[index + 2u] + sums[index + 6u]))
            + ((sums[index + 1u] + sums[index + 5u]) + (sums[index + 3u] + sums[index + 7u]));
    }
}
