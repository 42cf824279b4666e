// Logits of rows on the slots of a cache as it lies in memory, for adapters that run on a CPU and have quads: a lane keeps the
// keys of {{ slots }} slots at hand and goes over the rows, a row being one query of one of the query heads that share a KV head.
// How elements reach the other lanes is told in `quad_product.wgsl`.

@group(0) @binding(0) var<storage, read> queries: array<f32>;
@group(0) @binding(1) var<storage, read> keys: array<{% if packed %}u32{% else %}f32{% endif %}>;
@group(0) @binding(2) var<storage, read> positions: array<i32>;
// Of each head and row a line of `tiles` times TILE. What no slot of a tile may show to a row is not written.
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
    let lowest = first_position(kv, tile, corner);
    let slot = tile * TILE + lane * SLOTS;
    var held: array<f32, {{ slots * dim }}>;
{%- for s in range(slots) %}
    let slot{{ s }} = head + min(slot + {{ s }}u, shape.slots - 1u);
    let place{{ s }} = place_of(kv, slot + {{ s }}u);
{%- endfor %}
{%- if packed %}
    for (var i = 0u; i < DIM; i += 2u) {
        let at = i ^ corner;
{%- for s in range(slots) %}
        let pair{{ s }} = unpack2x16float(keys[(slot{{ s }} * DIM + at) / 2u]);
        held[i * SLOTS + {{ s }}u] = select(pair{{ s }}.x, pair{{ s }}.y, at % 2u == 1u);
        held[i * SLOTS + {{ slots + s }}u] = select(pair{{ s }}.y, pair{{ s }}.x, at % 2u == 1u);
{%- endfor %}
    }
{%- else %}
    for (var i = 0u; i < DIM; i += 1u) {
{%- for s in range(slots) %}
        held[i * SLOTS + {{ s }}u] = keys[slot{{ s }} * DIM + (i ^ corner)];
{%- endfor %}
    }
{%- endif %}
    let hidden = blind(lowest);
    for (var row = 0u; row < select(0u, shape.count, hidden > 0u && lane == 0u); row += 1u) {
        largest[(kv * shape.count + row) * shape.tiles + tile] = HIDDEN;
    }
    var next = seeing(0u, shape.start % shape.queries, hidden);
    while next.row < shape.count {
        let row = next.row;
        let own = i32(shape.first + next.query);
        next = seeing(row + 1u, next.query + 1u, hidden);
        var most = HIDDEN;
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
        most = max(most, quadSwapX(most));
        most = max(most, quadSwapY(most));
        if lane == 0u {
            largest[(kv * shape.count + row) * shape.tiles + tile] = most;
        }
    }
}
