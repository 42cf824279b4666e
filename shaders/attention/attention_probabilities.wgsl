// Attention probabilities of a KV head's queries: softmax over the slots in use that hold no later
// position than the query's own, within its window. A workgroup takes four queries, so that a key
// is read once for all four.

struct Shape {
    // Query heads per KV head, times queries per head.
    rows: u32,
    // Queries per head, at neighbouring positions.
    queries: u32,
    slots: u32,
    // Vectors of four elements in a head's key, at most 64.
    parts: u32,
    // The first query's position.
    first: i32,
    // Newest positions that a query sees.
    window: i32,
    scale: f32,
    // Workgroups per KV head, and per line of the grid.
    tiles: u32,
    line: u32,
    heads: u32,
}

// [kv_heads, rows, parts]
@group(0) @binding(0) var<storage, read> queries: array<vec4<f32>>;
// [kv_heads, slots, parts]
@group(0) @binding(1) var<storage, read> keys: array<vec4<f32>>;
// [kv_heads, slots]; below 0 where a slot is empty
@group(0) @binding(2) var<storage, read> positions: array<i32>;
// [kv_heads, rows, slots]
@group(0) @binding(3) var<storage, read_write> probabilities: array<f32>;
@group(0) @binding(4) var<uniform> shape: Shape;

const LANES: u32 = 64u;
// The logit of a hidden slot: WGSL has no infinity.
const HIDDEN: f32 = -1.0e30;

// Element `part` of query q at 4 * part + q.
var<workgroup> own: array<vec4<f32>, 256>;
var<workgroup> reduced: array<vec4<f32>, LANES>;

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
    for (var at = lane; at < 4u * shape.parts; at += LANES) {
        own[at] = queries[rows[at % 4u] * shape.parts + at / 4u];
    }
    let until = vec4<i32>(shape.first) + vec4<i32>(rows % shape.queries);
    workgroupBarrier();

    var most = vec4<f32>(HIDDEN);
    // The largest magnitudes of logits as bits, above which NaNs are.
    var greatest = vec4<u32>(0u);
    for (var slot = lane; slot < shape.slots; slot += LANES) {
        let place = head * shape.slots + slot;
        var logits = vec4<f32>(0.0);
        for (var part = 0u; part < shape.parts; part += 1u) {
            let key = keys[place * shape.parts + part];
            logits += vec4<f32>(
                dot(own[4u * part], key),
                dot(own[4u * part + 1u], key),
                dot(own[4u * part + 2u], key),
                dot(own[4u * part + 3u], key),
            );
        }
        let position = vec4<i32>(positions[place]);
        let seen = (position >= vec4<i32>(0)) & (position <= until)
            & (until - position < vec4<i32>(shape.window));
        logits = select(vec4<f32>(HIDDEN), logits * shape.scale, seen);
        most = max(most, logits);
        greatest = max(greatest, bitcast<vec4<u32>>(logits) & vec4<u32>(0x7fffffffu));
        put(rows, row, slot, logits);
    }
    reduced[lane] = most;
    workgroupBarrier();
    for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
        if lane < stride {
            reduced[lane] = max(reduced[lane], reduced[lane + stride]);
        }
        workgroupBarrier();
    }
    most = reduced[0];
    workgroupBarrier();

    // From here on a lane reads only what it wrote itself.
    var sum = vec4<f32>(0.0);
    for (var slot = lane; slot < shape.slots; slot += LANES) {
        let weights = exp(weights_of(rows, slot) - most);
        sum += weights;
        put(rows, row, slot, weights);
    }
    // By a bit operation: `exp` of NaN need not be NaN, and is a number on SwiftShader.
    let nan = select(vec4<u32>(0u), vec4<u32>(0x7fc00000u), greatest >= vec4<u32>(0x7f800000u));
    reduced[lane] = bitcast<vec4<f32>>(bitcast<vec4<u32>>(sum) | nan);
    workgroupBarrier();
    for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
        if lane < stride {
            reduced[lane] += reduced[lane + stride];
        }
        workgroupBarrier();
    }
    sum = reduced[0];
    for (var slot = lane; slot < shape.slots; slot += LANES) {
        put(rows, row, slot, weights_of(rows, slot) / sum);
    }
}

fn weights_of(rows: vec4<u32>, slot: u32) -> vec4<f32> {
    return vec4<f32>(
        probabilities[rows.x * shape.slots + slot],
        probabilities[rows.y * shape.slots + slot],
        probabilities[rows.z * shape.slots + slot],
        probabilities[rows.w * shape.slots + slot],
    );
}

fn put(rows: vec4<u32>, row: u32, slot: u32, values: vec4<f32>) {
    probabilities[rows.x * shape.slots + slot] = values.x;
    if row + 1u < shape.rows {
        probabilities[rows.y * shape.slots + slot] = values.y;
    }
    if row + 2u < shape.rows {
        probabilities[rows.z * shape.slots + slot] = values.z;
    }
    if row + 3u < shape.rows {
        probabilities[rows.w * shape.slots + slot] = values.w;
    }
}
