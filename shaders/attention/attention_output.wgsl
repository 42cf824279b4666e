// Values weighted by a KV head's probabilities: output[row] = Σ over slots of probability[row,
// slot] * value[slot]. A workgroup takes four rows, so that a value is read once for all four;
// lanes share the elements, then the slots.

struct Shape {
    rows: u32,
    slots: u32,
    // Vectors of four elements in a head's value, at most 64.
    parts: u32,
    // Workgroups per KV head, and per line of the grid.
    tiles: u32,
    line: u32,
    heads: u32,
}

// [kv_heads, rows, slots]
@group(0) @binding(0) var<storage, read> probabilities: array<f32>;
// [kv_heads, slots, parts]
@group(0) @binding(1) var<storage, read> values: array<vec4<f32>>;
// [kv_heads, rows, parts]
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> shape: Shape;

const LANES: u32 = 64u;

// Four rows' sums per lane.
var<workgroup> sums: array<array<vec4<f32>, 4>, LANES>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let tile = workgroup.y * shape.line + workgroup.x;
    let head = tile / shape.tiles;
    if head >= shape.heads {
        return;
    }
    // A row beyond the last repeats the last; it is not written.
    let row = tile % shape.tiles * 4u;
    let last = shape.rows - 1u;
    let rows = head * shape.rows
        + min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(last));
    let starts = rows * shape.slots;

    // Lanes that share a part; each takes every `shares`-th slot.
    let shares = LANES / shape.parts;
    let part = lane % shape.parts;
    let share = lane / shape.parts;
    var a = vec4<f32>(0.0);
    var b = vec4<f32>(0.0);
    var c = vec4<f32>(0.0);
    var d = vec4<f32>(0.0);
    if share < shares {
        for (var slot = share; slot < shape.slots; slot += shares) {
            let value = values[(head * shape.slots + slot) * shape.parts + part];
            a += probabilities[starts.x + slot] * value;
            b += probabilities[starts.y + slot] * value;
            c += probabilities[starts.z + slot] * value;
            d += probabilities[starts.w + slot] * value;
        }
    }
    sums[lane] = array<vec4<f32>, 4>(a, b, c, d);
    workgroupBarrier();
    for (var at = lane; at < 4u * shape.parts; at += LANES) {
        let which = at / shape.parts;
        if row + which < shape.rows {
            var sum = vec4<f32>(0.0);
            for (var other = 0u; other < shares; other += 1u) {
                sum += sums[other * shape.parts + at % shape.parts][which];
            }
            output[rows[which] * shape.parts + at % shape.parts] = sum;
        }
    }
}
