// Logits of rows on the slots of a cache as it lies in memory, for adapters that run on a CPU and have quads: a lane keeps the
// keys of {{ slots }} slots at hand and goes over the rows, a row being one query of one of the query heads that share a KV head.
// How elements reach the other lanes is told in `quad_product.wgsl`.

@group(0) @binding(0) var<storage, read> queries: array<f32>;
@group(0) @binding(1) var<storage, read> keys: array<{% if packed %}u32{% else %}f32{% endif %}>;
@group(0) @binding(2) var<storage, read> positions: array<i32>;
// Of each head and row a line of `tiles` times TILE. What no slot of a chunk may show to a row is not written.
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
// The largest logit of each tile.
@group(0) @binding(4) var<storage, read_write> largest: array<f32>;
@group(0) @binding(5) var<uniform> shape: Shape;

const SLOTS: u32 = {{ slots }}u;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) place: u32,
) {
    let group = workgroup.y * shape.line + workgroup.x;
    let kv = group / shape.tiles;
    let tile = group % shape.tiles;
    if kv >= shape.heads {
        return;
    }
    let corner = place % 4u;
    let head = kv * shape.capacity;
    let lowest = first_position(kv, tile * TILE / CHUNK, corner);
    let slot = tile * TILE + lane * SLOTS;
    var held: array<f32, {{ slots * dim }}>;
{%- for s in range(slots) %}
    let slot{{ s }} = head + min(slot + {{ s }}u, shape.slots - 1u);
    let place{{ s }} = place_of(kv, slot + {{ s }}u);
{%- endfor %}
    for (var i = 0u; i < DIM; i += 1u) {
        let at = i ^ corner;
{%- for s in range(slots) %}
{%- if packed %}
        held[i * SLOTS + {{ s }}u] = half(keys[(slot{{ s }} * DIM + at) / 2u], at);
{%- else %}
        held[i * SLOTS + {{ s }}u] = keys[slot{{ s }} * DIM + at];
{%- endif %}
{%- endfor %}
    }
    var query = shape.start % shape.queries;
    for (var row = 0u; row < shape.count; row += 1u) {
        let own = i32(shape.first + query);
        query = select(query + 1u, 0u, query + 1u == shape.queries);
        var most = HIDDEN;
        // Not `if`, both of whose branches such adapters go through.
        for (var seen = lowest <= own; seen; seen = false) {
            let begin = (kv * shape.rows + shape.start + row) * DIM + corner;
{%- for quad in range(dim // 4) %}
            let x{{ 4 * quad }} = queries[begin + {{ 4 * quad }}u];
{%- endfor %}
            {{ sums }}
            let line = (kv * shape.count + row) * shape.tiles * TILE + slot;
{%- for s in range(slots) %}
            let l{{ s }} = select(HIDDEN, s{{ s }} * {{ scale }}, place{{ s }} <= own);
            most = max(most, l{{ s }});
            logits[line + {{ s }}u] = l{{ s }};
{%- endfor %}
        }
        most = max(most, quadSwapX(most));
        most = max(most, quadSwapY(most));
        if lane == 0u {
            largest[(kv * shape.count + row) * shape.tiles + tile] = most;
        }
    }
}
