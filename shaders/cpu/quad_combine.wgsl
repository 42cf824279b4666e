// Combines the splits of `quad_attention.wgsl`. A lane has four elements of a row.

@group(0) @binding(0) var<storage, read> partial: array<vec4<f32>>;
// Every part of a head has the same; this reads the first.
@group(0) @binding(1) var<storage, read> partial_stats: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;
// Per head and row, the largest logit and the sum of exponentials by it.
@group(0) @binding(3) var<storage, read_write> stats: array<vec2<f32>>;
@group(0) @binding(4) var<uniform> shape: Shape;

const QUADS: u32 = DIM / 4u;

@compute @workgroup_size({{ threads }})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = (workgroup.y * shape.line + workgroup.x) * {{ threads }}u + lane;
    let line = index / QUADS;
    let quad = index % QUADS;
    let lines = shape.heads * shape.count;
    if line >= lines {
        return;
    }
    var most = HIDDEN;
    for (var split = 0u; split < SPLITS; split += 1u) {
        most = max(most, partial_stats[split * lines + line].x);
    }
    var sum = 0.0;
    var total = vec4<f32>(0.0);
    for (var split = 0u; split < SPLITS; split += 1u) {
        let stat = partial_stats[split * lines + line];
        let share = exp(stat.x - most);
        sum += share * stat.y;
        total += share * partial[(split * lines + line) * QUADS + quad];
    }
    let row = line / shape.count * shape.rows + shape.start + line % shape.count;
    output[row * QUADS + quad] = total / sum;
    if quad == 0u {
        stats[row] = vec2<f32>(most, sum);
    }
}
