// Adds to every slot's score its probabilities in the rows of `quad_logits.wgsl`.

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> positions: array<i32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> before: array<f32>;
@group(0) @binding(4) var<storage, read_write> scores: array<f32>;
@group(0) @binding(5) var<uniform> shape: Shape;

const SLOTS: u32 = {{ slots }}u;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = workgroup.y * shape.line + workgroup.x;
    let tiles = (shape.capacity + TILE - 1u) / TILE;
    let kv = group / tiles;
    if kv >= shape.heads {
        return;
    }
    let slot = group % tiles * TILE + lane * SLOTS;
{%- for s in range(slots) %}
    let place{{ s }} = place_of(kv, slot + {{ s }}u);
    var sum{{ s }} = 0.0;
{%- endfor %}
    var query = shape.start % shape.queries;
    for (var row = 0u; row < shape.count; row += 1u) {
        let own = i32(shape.first + query);
        query = select(query + 1u, 0u, query + 1u == shape.queries);
        let stat = 2u * (kv * shape.rows + shape.start + row);
        let most = stats[stat];
        let share = 1.0 / stats[stat + 1u];
        let line = (kv * shape.count + row) * shape.tiles * TILE;
{%- for s in range(slots) %}
        let x{{ s }} =
            exp(min(logits[line + min(slot + {{ s }}u, shape.slots - 1u)] - most, 0.0)) * share;
        sum{{ s }} += select(0.0, x{{ s }}, place{{ s }} <= own);
{%- endfor %}
    }
    let group_size = f32(shape.rows / shape.queries);
{%- for s in range(slots) %}
    if slot + {{ s }}u < shape.capacity {
        let at = kv * shape.capacity + slot + {{ s }}u;
        scores[at] = before[at] + sum{{ s }} / group_size;
    }
{%- endfor %}
}
