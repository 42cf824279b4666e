// Values weighted by the logits of `quad_logits.wgsl`. A lane holds {{ elements }} elements of a
// head for a tile of slots and goes over the rows. A workgroup takes one split of the tiles; a
// row's exponentials are by the split's largest logit.

@group(0) @binding(0) var<storage, read> values: array<{{ pair_type }}>;
@group(0) @binding(1) var<storage, read> positions: array<i32>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> largest: array<f32>;
// Per split, head and row, the weighted values before the division by the sum of exponentials.
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;
// Per part of a head, split, head and row, the largest logit and the sum of exponentials by it.
@group(0) @binding(5) var<storage, read_write> stats: array<f32>;
@group(0) @binding(6) var<uniform> shape: Shape;

const ELEMENTS: u32 = {{ elements }}u;
const PARTS: u32 = DIM / (LANES * ELEMENTS);
{{ read_functions() }}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) place: u32,
) {
    let group = workgroup.y * shape.line + workgroup.x;
    let part = group % PARTS;
    let split = group / PARTS % SPLITS;
    let kv = group / PARTS / SPLITS;
    if kv >= shape.heads {
        return;
    }
    let corner = place % 4u;
    let head = kv * shape.capacity;
    let first_row = (split * shape.heads + kv) * shape.count;
    let first_stat = 2u * (part * SPLITS * shape.heads * shape.count + first_row);
    let element = (part * LANES + lane) * ELEMENTS;
    for (var row = 0u; row < shape.count; row += 1u) {
        let line = (kv * shape.count + row) * shape.tiles;
        var most = HIDDEN;
        for (var tile = split + SPLITS * corner; tile < shape.tiles; tile += 4u * SPLITS) {
            most = max(most, largest[line + tile]);
        }
        most = max(most, quadSwapX(most));
        most = max(most, quadSwapY(most));
        stats[first_stat + 2u * row] = most;
        // By a bit operation: `exp` of NaN need not be NaN, and is a number on SwiftShader.
        let nan = select(0u, 0x7fc00000u, bitcast<u32>(most) == 0x7f800000u);
        stats[first_stat + 2u * row + 1u] = bitcast<f32>(nan);
        for (var e = 0u; e < ELEMENTS; e += 1u) {
            partial[(first_row + row) * DIM + element + e] = 0.0;
        }
    }
    var held: array<f32, {{ elements * tile }}>;
    for (var tile = split; tile < shape.tiles; tile += SPLITS) {
        let lowest = first_position(kv, tile, corner);
        for (var i = 0u; i < TILE; i += 1u) {
            let at = (head + min(tile * TILE + (i ^ corner), shape.slots - 1u)) * DIM + element;
{%- for e in range(0, elements, 2) %}
{{ read_pair("values", "at / 2u + " ~ e // 2 ~ "u", e) }}
            held[i * ELEMENTS + {{ e }}u] = pair{{ e }}.x;
            held[i * ELEMENTS + {{ e + 1 }}u] = pair{{ e }}.y;
{%- endfor %}
        }
        let hidden = blind(lowest);
        var next = seeing(0u, shape.start % shape.queries, hidden);
        while next.row < shape.count {
            let row = next.row;
            next = seeing(row + 1u, next.query + 1u, hidden);
            let begin = ((kv * shape.count + row) * shape.tiles + tile) * TILE + corner;
            let stat = first_stat + 2u * row;
            let most = stats[stat];
            var sum = 0.0;
{%- for x in range(0, tile, 4) %}
            let x{{ x }} = exp(logits[begin + {{ x }}u] - most);
            sum += x{{ x }};
{%- endfor %}
            {{ sums }}
            sum += quadSwapX(sum);
            sum += quadSwapY(sum);
            stats[stat + 1u] += sum;
            let at = (first_row + row) * DIM + element;
{%- for e in range(elements) %}
            partial[at + {{ e }}u] += s{{ e }};
{%- endfor %}
        }
    }
}
