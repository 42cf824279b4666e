// What the logits of `quad_logits.wgsl` make of the values: a lane has {{ rows }} elements of a head, keeps them of a chunk of slots
// at hand and goes over the rows. Along a row, exponentials are taken by its largest logit.

@group(0) @binding(0) var<storage, read> values: array<{% if packed %}u32{% else %}f32{% endif %}>;
@group(0) @binding(1) var<storage, read> positions: array<i32>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> largest: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;
// For each part of a head, each row's largest logit and the sum of exponentials by it.
@group(0) @binding(5) var<storage, read_write> stats: array<f32>;
@group(0) @binding(6) var<uniform> shape: Shape;

const ROWS: u32 = {{ rows }}u;
const PARTS: u32 = DIM / (LANES * ROWS);

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) place: u32,
) {
    let group = workgroup.y * shape.line + workgroup.x;
    let kv = group / PARTS;
    let part = group % PARTS;
    if kv >= shape.heads {
        return;
    }
    let corner = place % 4u;
    let head = kv * shape.capacity;
    let all = shape.heads * shape.rows;
    let above = kv * shape.rows + shape.start;
    let element = (part * LANES + lane) * ROWS;
    for (var row = 0u; row < shape.count; row += 1u) {
        let line = (kv * shape.count + row) * shape.tiles;
        var most = HIDDEN;
        for (var tile = corner; tile < shape.tiles; tile += 4u) {
            most = max(most, largest[line + tile]);
        }
        most = max(most, quadSwapX(most));
        most = max(most, quadSwapY(most));
        stats[2u * (part * all + above + row)] = most;
        stats[2u * (part * all + above + row) + 1u] = 0.0;
        for (var r = 0u; r < ROWS; r += 1u) {
            output[(above + row) * DIM + element + r] = 0.0;
        }
    }
    var held: array<f32, {{ rows * chunk }}>;
    for (var chunk = 0u; chunk * CHUNK < shape.slots; chunk += 1u) {
        let lowest = first_position(kv, chunk, corner);
        for (var i = 0u; i < CHUNK; i += 1u) {
            let at = (head + min(chunk * CHUNK + (i ^ corner), shape.slots - 1u)) * DIM + element;
{%- for r in range(rows) %}
{%- if packed %}
            held[i * ROWS + {{ r }}u] = half(values[(at + {{ r }}u) / 2u], {{ r }}u);
{%- else %}
            held[i * ROWS + {{ r }}u] = values[at + {{ r }}u];
{%- endif %}
{%- endfor %}
        }
        var query = shape.start % shape.queries;
        for (var row = 0u; row < shape.count; row += 1u) {
            let own = i32(shape.first + query);
            query = select(query + 1u, 0u, query + 1u == shape.queries);
            for (var seen = lowest <= own; seen; seen = false) {
                let begin = (kv * shape.count + row) * shape.tiles * TILE + chunk * CHUNK + corner;
                let stat = 2u * (part * all + above + row);
                let most = stats[stat];
                var sum = 0.0;
{%- for quad in range(chunk // 4) %}
                let x{{ 4 * quad }} = exp(logits[begin + {{ 4 * quad }}u] - most);
                sum += x{{ 4 * quad }};
{%- endfor %}
                {{ sums }}
                sum += quadSwapX(sum);
                sum += quadSwapY(sum);
                stats[stat + 1u] += sum;
                let at = (above + row) * DIM + element;
{%- for r in range(rows) %}
                output[at + {{ r }}u] += s{{ r }};
{%- endfor %}
            }
        }
    }
    for (var row = 0u; row < shape.count; row += 1u) {
        let sum = stats[2u * (part * all + above + row) + 1u];
        for (var r = 0u; r < ROWS; r += 1u) {
            output[(above + row) * DIM + element + r] /= sum;
        }
    }
}
