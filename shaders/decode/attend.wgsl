// Attention of one token over {{ split }} slots of one KV head, for all the query heads that share
// it: what they attend to, before it is divided, the largest logit and the sum of exponentials, by
// which the splits are put together again (Dao et al., arXiv 2205.14135, §3.1), the first slot that
// is empty and, for selection too, the logits.

@group(0) @binding(_) var<storage, read> keys: array<{{ key_rows.eight_type }}>;
@group(0) @binding(_) var<storage, read> values: array<{{ value_rows.eight_type }}>;
{%- if exact_keys %}
@group(0) @binding(_) var<storage, read> exact_keys: array<{{ exact_rows.eight_type }}>;
{%- endif %}
{%- if exact_values %}
@group(0) @binding(_) var<storage, read> exact_values: array<{{ exact_rows.eight_type }}>;
{%- endif %}
@group(0) @binding(_) var<storage, read> positions: array<i32>;
@group(0) @binding(_) var<storage, read> activations: array<vec4<f32>>;
@group(0) @binding(_) var<storage, read_write> partials: array<f32>;
@group(0) @binding(_) var<storage, read_write> logits: array<f32>;
@group(0) @binding(_) var<uniform> step: array<vec4<u32>, {{ step_words }}>;
@group(0) @binding(_) var<uniform> place: vec4<u32>;

const THREADS: u32 = {{ attending }}u;
const SPLIT: u32 = {{ split }}u;
const HIDDEN: f32 = -1.0e30;
// Vectors of eight elements per head; how many of them a thread weighs values of, and how many
// slots are weighed side by side.
const OCTS: u32 = {{ dim // 8 }}u;
{%- set quads = slots // 4 %}
const STRIPES: u32 = {{ attending * share // (dim // 8) }}u;

var<workgroup> own: array<f32, {{ group * attending }}>;
var<workgroup> empties: array<u32, {{ attending }}>;
var<workgroup> largest: array<f32, {{ group }}>;
{%- if attending * share // (dim // 8) > 1 %}
var<workgroup> parts: array<vec4<f32>, {{ 2 * attending * share }}>;
{%- endif %}
{{ key_rows.read_functions() }}
{%- if types_differ %}
{{ value_rows.read_functions() }}
{%- endif %}
{%- if exact_functions %}
{{ exact_rows.read_functions() }}
{%- endif %}
{%- if exact_keys or exact_values %}

{%- if exact_values %}
// The split's slots that have an exact row.
var<workgroup> exact_slots: array<u32, {{ sinks + ring }}>;
var<workgroup> exacts: atomic<u32>;
{%- endif %}

// The exact row of a position, counted over all heads; no row if it has none.
fn exact_row(kv: u32, position: i32) -> u32 {
    let own = u32(position);
    let sink = own < {{ sinks }}u;
    let held = position >= 0 && (sink || own >= step[0].y);
    let place = select({{ sinks }}u + own % {{ ring }}u, own, sink);
    return select({{ nothing }}u, kv * {{ sinks + ring }}u + place, held);
}
{%- endif %}

{%- macro weigh(at, lane, o, name) %}
{{ value_rows.read_eight("values", at ~ " + " ~ o ~ "u", name) }}
{%- for g in range(group) %}
        c{{ g }}_{{ o }} = fma(vec4<f32>(own{{ g }}{{ lane }}), a{{ name }}, c{{ g }}_{{ o }});
        d{{ g }}_{{ o }} = fma(vec4<f32>(own{{ g }}{{ lane }}), b{{ name }}, d{{ g }}_{{ o }});
{%- endfor %}
{%- endmacro %}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
{%- if in_quads %}
    @builtin(subgroup_invocation_id) member: u32,
{%- endif %}
) {
    let split = workgroup.x;
    let kv = workgroup.y;
    let layer = step[{{ step_header }}u + 2u * place.x];
    let capacity = layer.x;
    let reach = layer.y;
    let first = split * SPLIT;
    let count = min(SPLIT, reach - min(first, reach));
    let rows = kv * capacity + first;
    let queries = {{ at.queries }}u + kv * {{ group * dim // 4 }}u;

    var empty = {{ nothing }}u;
{%- for g in range(group) %}
    var most{{ g }} = HIDDEN;
{%- endfor %}
    // {{ slots }} slots per thread at a time: what is read of the queries serves all of them.
    for (var tile = 0u; tile < count; tile += {{ slots }}u * THREADS) {
        let last = count - 1u;
{%- for s in range(slots) %}
        let slot{{ s }} = tile + {{ s }}u * THREADS + thread;
        let at{{ s }} = (rows + min(slot{{ s }}, last)) * OCTS;
{%- endfor %}
{%- for g in range(group) %}
{%- for p in range(quads) %}
        var l{{ g }}_{{ p }} = vec4<f32>(0.0);
{%- endfor %}
{%- endfor %}
        // Loops are left at their end where they can be, see `product.wgsl`.
        var oct = 0u;
        loop {
{%- for g in range(group) %}
{%- for name in ["q", "r"] %}
{%- set at = "queries + " ~ (g * dim // 4 + loop.index0) ~ "u + 2u * oct" %}
{%- if in_quads %}
            let {{ name }}{{ g }} = of_quad(activations[{{ at }}][member % 4u]);
{%- else %}
            let {{ name }}{{ g }} = activations[{{ at }}];
{%- endif %}
{%- endfor %}
{%- endfor %}
{%- for s in range(slots) %}
{{ key_rows.read_eight("keys", "at" ~ s ~ " + oct", s) }}
{%- endfor %}
{%- for g in range(group) %}
{%- for p in range(quads) %}
            l{{ g }}_{{ p }} += vec4<f32>(
                {% for s in range(4 * p, 4 * p + 4) -%}
                dot(fma(a{{ s }}, q{{ g }}, b{{ s }} * r{{ g }}), vec4<f32>(1.0)),
                {% endfor %}
            );
{%- endfor %}
{%- endfor %}
            continuing {
                oct += 1u;
                break if oct >= OCTS;
            }
        }
{%- for s in range(slots) %}
        if slot{{ s }} < count {
{%- if exact_keys or exact_values %}
            // A loop, as a compiler for CPUs may compute both sides of an `if`.
            var exact{{ s }} = exact_row(kv, positions[rows + slot{{ s }}]);
            while exact{{ s }} != {{ nothing }}u {
{%- if exact_keys %}
{%- for g in range(group) %}
                l{{ g }}_{{ s // 4 }}[{{ s % 4 }}] = 0.0;
{%- endfor %}
                for (var oct = 0u; oct < OCTS; oct += 1u) {
{{ exact_rows.read_eight("exact_keys", "exact" ~ s ~ " * OCTS + oct", "e") }}
{%- for g in range(group) %}
{%- set query = "queries + " ~ (g * dim // 4) ~ "u + 2u * oct" %}
                    l{{ g }}_{{ s // 4 }}[{{ s % 4 }}] += dot(ae, activations[{{ query }}])
                        + dot(be, activations[{{ query }} + 1u]);
{%- endfor %}
                }
{%- endif %}
{%- if exact_values %}
                exact_slots[atomicAdd(&exacts, 1u)] = slot{{ s }};
{%- endif %}
                exact{{ s }} = {{ nothing }}u;
            }
{%- endif %}
            if positions[rows + slot{{ s }}] < 0 {
                empty = min(empty, first + slot{{ s }});
{%- for g in range(group) %}
                l{{ g }}_{{ s // 4 }}[{{ s % 4 }}] = HIDDEN;
{%- endfor %}
            } else {
{%- for g in range(group) %}
                l{{ g }}_{{ s // 4 }}[{{ s % 4 }}] *= {{ scale }};
                most{{ g }} = max(most{{ g }}, l{{ g }}_{{ s // 4 }}[{{ s % 4 }}]);
{%- endfor %}
            }
{%- for g in range(group) %}
            logits[(kv * {{ group }}u + {{ g }}u) * capacity + first + slot{{ s }}] =
                l{{ g }}_{{ s // 4 }}[{{ s % 4 }}];
{%- endfor %}
        }
{%- endfor %}
    }
{%- for g in range(group) %}
    own[{{ attending * g }}u + thread] = most{{ g }};
{%- endfor %}
    empties[thread] = empty;
    storageBarrier();
    workgroupBarrier();

    let partial = (kv * grid.x + split) * {{ partial }}u;
    for (var task = thread; task <= {{ group }}u; task += THREADS) {
        if task < {{ group }}u {
            var most = HIDDEN;
            for (var i = 0u; i < THREADS; i += 1u) {
                most = max(most, own[THREADS * task + i]);
            }
            largest[task] = most;
            partials[partial + 2u * task] = most;
        } else {
            for (var i = 0u; i < THREADS; i += 1u) {
                empty = min(empty, empties[i]);
            }
            partials[partial + {{ 2 * group }}u] = f32(empty);
        }
    }
    workgroupBarrier();

    let stripe = thread / (OCTS / {{ share }}u);
    let part = thread % (OCTS / {{ share }}u);
{%- for g in range(group) %}
    let top{{ g }} = largest[{{ g }}];
    let row{{ g }} = (kv * {{ group }}u + {{ g }}u) * capacity + first;
    var sum{{ g }} = 0.0;
{%- for o in range(share) %}
    var c{{ g }}_{{ o }} = vec4<f32>(0.0);
    var d{{ g }}_{{ o }} = vec4<f32>(0.0);
{%- endfor %}
{%- endfor %}
{%- if in_quads %}
    for (var four = 0u; four < count; four += 4u) {
        // A lane's own slot of the four: exp is a call an element where this is used.
        let slot = four + member % 4u;
{%- for g in range(group) %}
        let logit{{ g }} = logits[row{{ g }} + min(slot, count - 1u)];
        let held{{ g }} = slot < count && logit{{ g }} > HIDDEN;
        let own{{ g }} = of_quad(select(0.0, exp(logit{{ g }} - top{{ g }}), held{{ g }}));
        sum{{ g }} += (own{{ g }}.x + own{{ g }}.y) + (own{{ g }}.z + own{{ g }}.w);
{%- endfor %}
{%- for i in range(4) %}
        let at{{ i }} = (rows + min(four + {{ i }}u, count - 1u)) * OCTS + {{ share }}u * part;
{%- for o in range(share) %}
{{ weigh("at" ~ i, [".x", ".y", ".z", ".w"][i], o, i ~ "_" ~ o) }}
{%- endfor %}
{%- endfor %}
    }
{%- else %}
    if stripe < STRIPES {
        for (var slot = stripe; slot < count; slot += STRIPES) {
{%- for g in range(group) %}
            let logit{{ g }} = logits[row{{ g }} + slot];
            // Where nothing is held in the whole split, the largest logit is that of the empty
            // slots.
            let own{{ g }} = select(0.0, exp(logit{{ g }} - top{{ g }}), logit{{ g }} > HIDDEN);
            sum{{ g }} += own{{ g }};
{%- endfor %}
            let at = (rows + slot) * OCTS + {{ share }}u * part;
{%- for o in range(share) %}
{{ weigh("at", "", o, o) }}
{%- endfor %}
        }
    }
{%- endif %}

{%- if exact_values %}
    // Exact rows less quantised ones: the loop above has taken these slots' quantised rows.
    let corrected = select(0u, atomicLoad(&exacts), stripe < STRIPES);
    for (var index = stripe; index < corrected; index += STRIPES) {
        let slot = exact_slots[index];
        let exact = exact_row(kv, positions[rows + slot]) * OCTS + {{ share }}u * part;
        let at = (rows + slot) * OCTS + {{ share }}u * part;
{%- for g in range(group) %}
        let own{{ g }} = exp(logits[row{{ g }} + slot] - top{{ g }});
{%- endfor %}
{%- for o in range(share) %}
{{ value_rows.read_eight("values", "at + " ~ o ~ "u", o) }}
{{ exact_rows.read_eight("exact_values", "exact + " ~ o ~ "u", "x" ~ o) }}
{%- for g in range(group) %}
        c{{ g }}_{{ o }} = fma(vec4<f32>(own{{ g }}), ax{{ o }} - a{{ o }}, c{{ g }}_{{ o }});
        d{{ g }}_{{ o }} = fma(vec4<f32>(own{{ g }}), bx{{ o }} - b{{ o }}, d{{ g }}_{{ o }});
{%- endfor %}
{%- endfor %}
    }
{%- endif %}

    let outputs = partial + {{ 2 * group + 1 }}u;
{%- if attending * share // (dim // 8) > 1 %}
    // Everything of a query head that the stripes have, one head after the other.
{%- for g in range(group) %}
{%- for o in range(share) %}
    parts[2u * ({{ share }}u * thread + {{ o }}u)] = c{{ g }}_{{ o }};
    parts[2u * ({{ share }}u * thread + {{ o }}u) + 1u] = d{{ g }}_{{ o }};
{%- endfor %}
    if part == 0u {
        own[stripe] = sum{{ g }};
    }
    workgroupBarrier();
    for (var quad = thread; quad < {{ dim // 4 }}u; quad += THREADS) {
        var whole = parts[quad];
        for (var other = 1u; other < STRIPES; other += 1u) {
            whole += parts[other * {{ dim // 4 }}u + quad];
        }
        put(outputs + {{ g * dim }}u + 4u * quad, whole);
    }
    if thread == 0u {
        var whole = own[0];
        for (var other = 1u; other < STRIPES; other += 1u) {
            whole += own[other];
        }
        partials[partial + {{ 2 * g + 1 }}u] = whole;
    }
    workgroupBarrier();
{%- endfor %}
{%- else %}
    if stripe >= STRIPES {
        return;
    }
{%- for g in range(group) %}
{%- for o in range(share) %}
    put(outputs + {{ g * dim }}u + 8u * ({{ share }}u * part + {{ o }}u), c{{ g }}_{{ o }});
    put(outputs + {{ g * dim }}u + 8u * ({{ share }}u * part + {{ o }}u) + 4u, d{{ g }}_{{ o }});
{%- endfor %}
    if part == 0u {
        partials[partial + {{ 2 * g + 1 }}u] = sum{{ g }};
    }
{%- endfor %}
{%- endif %}
}

fn put(at: u32, x: vec4<f32>) {
    partials[at] = x.x;
    partials[at + 1u] = x.y;
    partials[at + 2u] = x.z;
    partials[at + 3u] = x.w;
}
