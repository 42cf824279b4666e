// Attention of a piece of a prompt over the slots of a cache as it lies in memory. A lane has {{ rows }} rows, a row being one query of
// one of the query heads that share a KV head, and goes over the slots {{ slots }} at a time, keeping the largest logit so far and
// what was weighed by it (Dao et al., arXiv 2205.14135, §3.1): no probability is ever stored.

struct Shape {
    // Query heads of a KV head times queries.
    rows: u32,
    queries: u32,
    // Slots in use, and those that a head has.
    slots: u32,
    capacity: u32,
    // The position of the first query.
    first: u32,
    // Workgroups a KV head, and on a line of the grid.
    tiles: u32,
    line: u32,
    heads: u32,
}

@group(0) @binding(0) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> keys: array<{{ oct }}>;
@group(0) @binding(2) var<storage, read> values: array<{{ oct }}>;
@group(0) @binding(3) var<storage, read> positions: array<i32>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;
// Each row's largest logit, and the sum of exponentials by it.
@group(0) @binding(5) var<storage, read_write> stats: array<vec2<f32>>;
@group(0) @binding(6) var<uniform> shape: Shape;

const THREADS: u32 = {{ threads }}u;
const HIDDEN: f32 = -1.0e30;
const OCTS: u32 = {{ dim // 8 }}u;

{% if packed -%}
fn early(x: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(x.x), unpack2x16float(x.y));
}

fn late(x: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(x.z), unpack2x16float(x.w));
}
{%- endif %}

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
{%- if packed %}
            let k{{ s }} = keys[slot{{ s }} * OCTS + oct];
            let a{{ s }} = early(k{{ s }});
            let b{{ s }} = late(k{{ s }});
{%- else %}
            let a{{ s }} = keys[2u * (slot{{ s }} * OCTS + oct)];
            let b{{ s }} = keys[2u * (slot{{ s }} * OCTS + oct) + 1u];
{%- endif %}
{%- for r in range(rows) %}
            l{{ r }}_{{ s }} = fma(a{{ s }}, q{{ r }}, fma(b{{ s }}, r{{ r }}, l{{ r }}_{{ s }}));
{%- endfor %}
{%- endfor %}
        }
{%- for r in range(rows) %}
        var top{{ r }} = most{{ r }};
{%- for s in range(slots) %}
        let seen{{ r }}_{{ s }} = held{{ s }} && place{{ s }} <= own{{ r }};
        let x{{ r }}_{{ s }} = select(HIDDEN, dot(l{{ r }}_{{ s }}, vec4<f32>({{ scale }})), seen{{ r }}_{{ s }});
        top{{ r }} = max(top{{ r }}, x{{ r }}_{{ s }});
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
{%- if packed %}
            let v{{ s }} = values[slot{{ s }} * OCTS + {{ oct }}u];
            let a{{ s }} = early(v{{ s }});
            let b{{ s }} = late(v{{ s }});
{%- else %}
            let a{{ s }} = values[2u * (slot{{ s }} * OCTS + {{ oct }}u)];
            let b{{ s }} = values[2u * (slot{{ s }} * OCTS + {{ oct }}u) + 1u];
{%- endif %}
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
{%- for quad in range(dim // 4) %}
        output[query{{ r }} + {{ quad }}u] = o{{ r }}_{{ quad }} / sum{{ r }};
{%- endfor %}
        stats[kv * shape.rows + row{{ r }}] = vec2<f32>(most{{ r }}, sum{{ r }});
    }
{%- endfor %}
}
