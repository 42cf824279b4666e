// RMSNorm: output[r, i] = input[r, i] / sqrt(mean over i of input[r, i]^2 + epsilon) * weight[i],
// one workgroup per row.

struct Shape {
    rows: u32,
    width: u32,
    epsilon: f32,
    // Rows per line of workgroups: a grid's side is limited, so rows continue on the next line.
    rows_per_line: u32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

const LANES: u32 = 64;

var<workgroup> sums: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group.y * shape.rows_per_line + group.x;
    if row >= shape.rows {
        return;
    }
    let start = row * shape.width;

    var sum = 0.0;
    for (var i = lane; i < shape.width; i += LANES) {
        let x = input[start + i];
        sum += x * x;
    }
    sums[lane] = sum;
    workgroupBarrier();
    for (var stride = LANES / 2; stride > 0; stride /= 2) {
        if lane < stride {
            sums[lane] += sums[lane + stride];
        }
        workgroupBarrier();
    }

    let scale = inverseSqrt(sums[0] / f32(shape.width) + shape.epsilon);
    for (var i = lane; i < shape.width; i += LANES) {
        output[start + i] = input[start + i] * scale * weight[i];
    }
}
