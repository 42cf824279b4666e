// Logits of a prompt's chunk over a cache's rows as stored, for adapters that compute on a CPU and
// have quads. A row here is one query of one query head of a KV head. A lane holds the keys of
// {{ slots }} slots and goes over the rows; `quad_product.wgsl` says how elements reach the other
// lanes.

@group(0) @binding(0) var<storage, read> queries: array<f32>;
@group(0) @binding(1) var<storage, read> keys: array<{{ pair_type }}>;
@group(0) @binding(2) var<storage, read> positions: array<i32>;
// Per head and row a line of `tiles` times TILE. A tile that is hidden from a row is not written.
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
// Per tile, the largest logit; infinite if one is infinite or NaN.
@group(0) @binding(4) var<storage, read_write> largest: array<f32>;
@group(0) @binding(5) var<uniform> shape: Shape;

const SLOTS: u32 = {{ slots }}u;
{{ read_functions() }}

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
    for (var i = 0u; i < DIM; i += 2u) {
        let at = i ^ corner;
{%- for s in range(slots) %}
{{ read_pair("keys", "(slot" ~ s ~ " * DIM + at) / 2u", s) }}
        held[i * SLOTS + {{ s }}u] = select(pair{{ s }}.x, pair{{ s }}.y, at % 2u == 1u);
        held[i * SLOTS + {{ slots + s }}u] = select(pair{{ s }}.y, pair{{ s }}.x, at % 2u == 1u);
{%- endfor %}
    }
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
        // The largest magnitude as bits, above which NaNs are.
        var greatest = 0u;
        let begin = (kv * shape.rows + shape.start + row) * DIM + corner;
{%- for quad in range(dim // 4) %}
        let x{{ 4 * quad }} = queries[begin + {{ 4 * quad }}u];
{%- endfor %}
        {{ sums }}
        let line = (kv * shape.count + row) * shape.tiles * TILE + slot;
{%- for s in range(slots) %}
        let seen{{ s }} = (place{{ s }} <= own) & (own - place{{ s }} < shape.window);
        let l{{ s }} = select(HIDDEN, s{{ s }} * {{ scale }}, seen{{ s }});
        most = max(most, l{{ s }});
        greatest = max(greatest, bitcast<u32>(l{{ s }}) & 0x7fffffffu);
        logits[line + {{ s }}u] = l{{ s }};
{%- endfor %}
        most = select(most, bitcast<f32>(greatest & 0x7f800000u), greatest >= 0x7f800000u);
        most = max(most, quadSwapX(most));
        most = max(most, quadSwapY(most));
        if lane == 0u {
            largest[(kv * shape.count + row) * shape.tiles + tile] = most;
        }
    }
}
