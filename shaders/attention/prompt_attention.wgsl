// Attention of a prompt's chunk over a cache's rows as stored. A row here is one query of one query
// head of a KV head; a lane has {{ rows }} of them. It goes over the slots {{ slots }} at a time
// and rescales its sums when the largest logit grows (Dao et al., arXiv 2205.14135, §3.1), so that
// no probability is stored.

struct Shape {
    // Query heads per KV head, times queries.
    rows: u32,
    queries: u32,
    // Slots in use, and slots per head.
    slots: u32,
    capacity: u32,
    // The position of the first query.
    first: u32,
    // Workgroups per KV head, and per line of the grid.
    tiles: u32,
    line: u32,
    heads: u32,
    // Newest positions that a query sees.
    window: i32,
}

@group(0) @binding(0) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> keys: array<{{ eight_type }}>;
@group(0) @binding(2) var<storage, read> values: array<{{ eight_type }}>;
@group(0) @binding(3) var<storage, read> positions: array<i32>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;
// Per row, the largest logit and the sum of exponentials by it.
@group(0) @binding(5) var<storage, read_write> stats: array<vec2<f32>>;
@group(0) @binding(6) var<uniform> shape: Shape;

const THREADS: u32 = {{ threads }}u;
const HIDDEN: f32 = -1.0e30;
const OCTS: u32 = {{ dim // 8 }}u;
{{ read_functions() }}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = workgroup.y * shape.line + workgroup.x;
    let kv = tile / shape.tiles;
    let start = (tile % shape.tiles * THREADS + thread) * {{ rows }}u;
    if kv >= shape.heads || start >= shape.rows {
        return;
    }
    let head = kv * shape.capacity;
{%- for r in range(rows) %}
    let row{{ r }} = min(start + {{ r }}u, shape.rows - 1u);
    let query{{ r }} = (kv * shape.rows + row{{ r }}) * {{ dim // 4 }}u;
    let own{{ r }} = i32(shape.first + row{{ r }} % shape.queries);
    var most{{ r }} = HIDDEN;
    var sum{{ r }} = 0.0;
    // The largest magnitude of a logit as bits, above which NaNs are.
    var greatest{{ r }} = 0u;
{%- for quad in range(dim // 4) %}
    var o{{ r }}_{{ quad }} = vec4<f32>(0.0);
{%- endfor %}
{%- endfor %}

    for (var slot = 0u; slot < shape.slots; slot += {{ slots }}u) {
{%- for s in range(slots) %}
        let slot{{ s }} = head + min(slot + {{ s }}u, shape.slots - 1u);
        let place{{ s }} = positions[slot{{ s }}];
        let held{{ s }} = slot + {{ s }}u < shape.slots && place{{ s }} >= 0;
{%- endfor %}
{%- for r in range(rows) %}
{%- for s in range(slots) %}
        var l{{ r }}_{{ s }} = vec4<f32>(0.0);
{%- endfor %}
{%- endfor %}
        for (var oct = 0u; oct < OCTS; oct += 1u) {
{%- for r in range(rows) %}
            let q{{ r }} = queries[query{{ r }} + 2u * oct];
            let r{{ r }} = queries[query{{ r }} + 2u * oct + 1u];
{%- endfor %}
{%- for s in range(slots) %}
{{ read_eight("keys", "slot" ~ s ~ " * OCTS + oct", s) }}
{%- for r in range(rows) %}
            l{{ r }}_{{ s }} = fma(a{{ s }}, q{{ r }}, fma(b{{ s }}, r{{ r }}, l{{ r }}_{{ s }}));
{%- endfor %}
{%- endfor %}
        }
{%- for r in range(rows) %}
        var top{{ r }} = most{{ r }};
{%- for s in range(slots) %}
        // No `&&`: its branches take SwiftShader minutes to compile.
        let seen{{ r }}_{{ s }} = held{{ s }} & (place{{ s }} <= own{{ r }})
            & (own{{ r }} - place{{ s }} < shape.window);
        let x{{ r }}_{{ s }} =
            select(HIDDEN, dot(l{{ r }}_{{ s }}, vec4<f32>({{ scale }})), seen{{ r }}_{{ s }});
        top{{ r }} = max(top{{ r }}, x{{ r }}_{{ s }});
        greatest{{ r }} = max(greatest{{ r }}, bitcast<u32>(x{{ r }}_{{ s }}) & 0x7fffffffu);
{%- endfor %}
        let shrunk{{ r }} = vec4<f32>(exp(most{{ r }} - top{{ r }}));
        most{{ r }} = top{{ r }};
        sum{{ r }} *= shrunk{{ r }}.x;
{%- for s in range(slots) %}
        let w{{ r }}_{{ s }} = select(0.0, exp(x{{ r }}_{{ s }} - top{{ r }}), seen{{ r }}_{{ s }});
        sum{{ r }} += w{{ r }}_{{ s }};
{%- endfor %}
{%- endfor %}
{%- for oct in range(dim // 8) %}
        {
{%- for r in range(rows) %}
            var c{{ r }} = o{{ r }}_{{ 2 * oct }} * shrunk{{ r }};
            var d{{ r }} = o{{ r }}_{{ 2 * oct + 1 }} * shrunk{{ r }};
{%- endfor %}
{%- for s in range(slots) %}
{{ read_eight("values", "slot" ~ s ~ " * OCTS + " ~ oct ~ "u", s) }}
{%- for r in range(rows) %}
            c{{ r }} = fma(vec4<f32>(w{{ r }}_{{ s }}), a{{ s }}, c{{ r }});
            d{{ r }} = fma(vec4<f32>(w{{ r }}_{{ s }}), b{{ s }}, d{{ r }});
{%- endfor %}
{%- endfor %}
{%- for r in range(rows) %}
            o{{ r }}_{{ 2 * oct }} = c{{ r }};
            o{{ r }}_{{ 2 * oct + 1 }} = d{{ r }};
{%- endfor %}
        }
{%- endfor %}
    }
{%- for r in range(rows) %}
    if start + {{ r }}u < shape.rows {
        // By a bit operation: `exp` of NaN need not be NaN, and is a number on SwiftShader.
        let nan{{ r }} = select(0u, 0x7fc00000u, greatest{{ r }} >= 0x7f800000u);
        sum{{ r }} = bitcast<f32>(bitcast<u32>(sum{{ r }}) | nan{{ r }});
{%- for quad in range(dim // 4) %}
        output[query{{ r }} + {{ quad }}u] = o{{ r }}_{{ quad }} / sum{{ r }};
{%- endfor %}
        stats[kv * shape.rows + row{{ r }}] = vec2<f32>(most{{ r }}, sum{{ r }});
    }
{%- endfor %}
}
