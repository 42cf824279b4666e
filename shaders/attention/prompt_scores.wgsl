// Scores of a prompt's chunk: every slot's probabilities, averaged over the query group and summed
// over the queries, added to its score. A lane has {{ slots }} slots and goes over the rows, whose
// largest logits and sums are the attention's.

struct Shape {
    rows: u32,
    queries: u32,
    slots: u32,
    capacity: u32,
    first: u32,
    tiles: u32,
    line: u32,
    heads: u32,
    window: i32,
}

@group(0) @binding(0) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> keys: array<{{ eight_type }}>;
@group(0) @binding(2) var<storage, read> positions: array<i32>;
@group(0) @binding(3) var<storage, read> stats: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> before: array<f32>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;
@group(0) @binding(6) var<uniform> shape: Shape;

const THREADS: u32 = {{ threads }}u;
const OCTS: u32 = {{ dim // 8 }}u;
{{ read_functions() }}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = workgroup.y * shape.line + workgroup.x;
    let kv = tile / shape.tiles;
    let start = (tile % shape.tiles * THREADS + thread) * {{ slots }}u;
    if kv >= shape.heads || start >= shape.capacity {
        return;
    }
    let head = kv * shape.capacity;
{%- for s in range(slots) %}
    let slot{{ s }} = head + min(start + {{ s }}u, shape.capacity - 1u);
    let place{{ s }} = positions[slot{{ s }}];
    let held{{ s }} = start + {{ s }}u < shape.slots && place{{ s }} >= 0;
    var sum{{ s }} = 0.0;
{%- for oct in range(dim // 8) %}
{{ read_eight("keys", "slot" ~ s ~ " * OCTS + " ~ oct ~ "u", s ~ "_" ~ oct) }}
{%- endfor %}
{%- endfor %}
    for (var row = 0u; row < shape.rows; row += 1u) {
        let query = (kv * shape.rows + row) * {{ dim // 4 }}u;
        let own = i32(shape.first + row % shape.queries);
        let stat = stats[kv * shape.rows + row];
{%- for s in range(slots) %}
        var l{{ s }} = vec4<f32>(0.0);
{%- endfor %}
{%- for oct in range(dim // 8) %}
        {
            let q = queries[query + {{ 2 * oct }}u];
            let r = queries[query + {{ 2 * oct + 1 }}u];
{%- for s in range(slots) %}
            l{{ s }} = fma(a{{ s }}_{{ oct }}, q, fma(b{{ s }}_{{ oct }}, r, l{{ s }}));
{%- endfor %}
        }
{%- endfor %}
{%- for s in range(slots) %}
        let x{{ s }} = dot(l{{ s }}, vec4<f32>({{ scale }}));
        sum{{ s }} += select(
            0.0,
            exp(min(x{{ s }} - stat.x, 0.0)) / stat.y,
            held{{ s }} && place{{ s }} <= own,
        );
{%- endfor %}
    }
    let group = f32(shape.rows / shape.queries);
{%- for s in range(slots) %}
    if start + {{ s }}u < shape.capacity {
        scores[slot{{ s }}] = before[slot{{ s }}] + sum{{ s }} / group;
    }
{%- endfor %}
}
