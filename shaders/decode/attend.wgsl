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
const STRIPES: u32 = {{ attending * share // (dim // 8) }}u;

var<workgroup> own: array<f32, {{ group * attending }}>;
var<workgroup> empties: array<u32, {{ attending }}>;
var<workgroup> largest: array<f32, {{ group }}>;
// Bits of NaN if a logit is infinite or NaN.
var<workgroup> spoiled: atomic<u32>;
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

// The split's slots that have an exact row.
var<workgroup> exact_slots: array<u32, {{ sinks + ring }}>;
var<workgroup> exacts: atomic<u32>;

// `true` if a position has an exact row.
fn is_exact(position: i32) -> bool {
    let own = u32(position);
    return (position >= 0) & ((own < {{ sinks }}u) | (own >= step[0].y));
}

// The exact row of a position, counted over all heads.
fn exact_row(kv: u32, position: i32) -> u32 {
    let own = u32(position);
    let place = select({{ sinks }}u + own % {{ ring }}u, own, own < {{ sinks }}u);
    return kv * {{ sinks + ring }}u + place;
}
{%- endif %}

{#- Where rows are read from. Types with one scale per row have codes, others only eights. -#}
{%- macro start_of(type, row) -%}
{%- if type.code_factors %}{{ type.row_start(row) }}{% else %}({{ row }}) * OCTS{% endif -%}
{%- endmacro %}

{#- Reads an eight: codes where there are such, which have yet to be scaled. -#}
{%- macro read(type, buffer, start, oct, name) %}
{%- if type.code_factors %}
{{- type.read_codes(buffer, start, oct, name) }}
{%- else %}
{{- type.read_eight(buffer, start ~ " + " ~ oct, name) }}
{%- endif %}
{%- endmacro %}

{#- Declares l<g>_<s>, the product of query g and the row that begins at start<s>. -#}
{%- macro products(type, buffer, count) %}
{%- for g in range(group) %}
{%- for s in range(count) %}
        var l{{ g }}_{{ s }} = 0.0;
{%- endfor %}
{%- if type.code_factors %}
        var offset{{ g }} = vec4<f32>(0.0);
{%- endif %}
{%- endfor %}
        // Loops are left at their end where they can be, see `product.wgsl`.
        var oct = 0u;
        loop {
{%- for g in range(group) %}
{%- for name in ["q", "r"] %}
{%- set at = "queries + " ~ (g * dim // 4 + loop.index0) ~ "u + 2u * oct" %}
{%- set own = name ~ g %}
{%- if type.code_factors %}
{%- set own = "own_" ~ name ~ g %}
{%- endif %}
{%- if in_quads %}
            let {{ own }} = of_quad(activations[{{ at }}][member % 4u]);
{%- else %}
            let {{ own }} = activations[{{ at }}];
{%- endif %}
{%- if type.code_factors %}
            let {{ name }}{{ g }} = {{ own }} * {{ type.code_factors[loop.index0] }};
            offset{{ g }} += {{ own }} * {{ type.code_offsets[loop.index0] }};
{%- endif %}
{%- endfor %}
{%- endfor %}
{%- for s in range(count) %}
{{ read(type, buffer, "start" ~ s, "oct", s) }}
{%- endfor %}
{%- for g in range(group) %}
{%- for s in range(count) %}
            l{{ g }}_{{ s }} += dot(fma(a{{ s }}, q{{ g }}, b{{ s }} * r{{ g }}), vec4<f32>(1.0));
{%- endfor %}
{%- endfor %}
            continuing {
                oct += 1u;
                break if oct >= OCTS;
            }
        }
{%- if type.code_factors %}
{%- for s in range(count) %}
        let scale{{ s }} = {{ type.read_scale(buffer, "start" ~ s) }};
{%- for g in range(group) %}
        l{{ g }}_{{ s }} = scale{{ s }} * (l{{ g }}_{{ s }} - dot(offset{{ g }}, vec4<f32>(1.0)));
{%- endfor %}
{%- endfor %}
{%- endif %}
{%- endmacro %}

{#- Writes l<g>_<s> as the logits of a slot. -#}
{%- macro put_logits(s, slot) %}
{%- for g in range(group) %}
            logits[(kv * {{ group }}u + {{ g }}u) * capacity + first + {{ slot }}] =
                l{{ g }}_{{ s }};
{%- endfor %}
{%- endmacro %}

{#- Looks at l<g>_<s>, the logit of a slot that is held or HIDDEN. -#}
{%- macro note(s) %}
{%- for g in range(group) %}
            most{{ g }} = max(most{{ g }}, l{{ g }}_{{ s }});
            greatest = max(greatest, bitcast<u32>(l{{ g }}_{{ s }}) & 0x7fffffffu);
{%- endfor %}
{%- endmacro %}

{%- macro weigh(start, lane, o, name) %}
{{ read(value_rows, "values", start, share ~ "u * part + " ~ o ~ "u", name) }}
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
    // The largest magnitude of a logit as bits, above which NaNs are.
    var greatest = 0u;
{%- for g in range(group) %}
    var most{{ g }} = HIDDEN;
{%- endfor %}
    // {{ slots }} slots per thread at a time: what is read of the queries serves all of them.
    for (var tile = 0u; tile < count; tile += {{ slots }}u * THREADS) {
        let last = count - 1u;
{%- for s in range(slots) %}
        let slot{{ s }} = tile + {{ s }}u * THREADS + thread;
        let start{{ s }} = {{ start_of(key_rows, "rows + min(slot" ~ s ~ ", last)") }};
{%- endfor %}
{{- products(key_rows, "keys", slots) }}
{%- for s in range(slots) %}
        if slot{{ s }} < count {
            let position{{ s }} = positions[rows + slot{{ s }}];
            let held{{ s }} = position{{ s }} >= 0;
            empty = min(empty, select(first + slot{{ s }}, {{ nothing }}u, held{{ s }}));
{%- for g in range(group) %}
            l{{ g }}_{{ s }} = select(HIDDEN, l{{ g }}_{{ s }} * {{ scale }}, held{{ s }});
{%- endfor %}
{%- if exact_keys or exact_values %}
            let exact{{ s }} = is_exact(position{{ s }});
            if exact{{ s }} {
                exact_slots[atomicAdd(&exacts, 1u)] = slot{{ s }};
            }
{%- endif %}
{%- if exact_keys %}
            // The key's own logit comes below.
{%- for g in range(group) %}
            l{{ g }}_{{ s }} = select(l{{ g }}_{{ s }}, HIDDEN, exact{{ s }});
{%- endfor %}
{%- endif %}
{{- note(s) }}
{{- put_logits(s, "slot" ~ s) }}
        }
{%- endfor %}
    }
{%- if exact_keys %}
    storageBarrier();
    workgroupBarrier();
    let exact_count = atomicLoad(&exacts);
    for (var base = 0u; base < exact_count; base += THREADS) {
        let slot = exact_slots[min(base + thread, exact_count - 1u)];
        let start0 = {{ start_of(exact_rows, "exact_row(kv, positions[rows + slot])") }};
{{- products(exact_rows, "exact_keys", 1) }}
        if base + thread < exact_count {
{%- for g in range(group) %}
            l{{ g }}_0 *= {{ scale }};
{%- endfor %}
{{- note(0) }}
{{- put_logits(0, "slot") }}
        }
    }
{%- endif %}
{%- for g in range(group) %}
    own[{{ attending * g }}u + thread] = most{{ g }};
{%- endfor %}
    empties[thread] = empty;
    if greatest >= 0x7f800000u {
        atomicOr(&spoiled, 0x7fc00000u);
    }
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

    // By a bit operation sums become NaN: `exp` of NaN need not be NaN, nor is it on SwiftShader.
    let nan = atomicLoad(&spoiled);
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
{%- if value_rows.code_factors %}
{%- for g in range(group) %}
    var scaled{{ g }} = 0.0;
{%- endfor %}
{%- endif %}
{%- if in_quads %}
    for (var four = 0u; four < count; four += 4u) {
        // A lane's own slot of the four: exp is a call an element where this is used.
        let slot = four + member % 4u;
        let own_slot = min(slot, count - 1u);
{%- if value_rows.code_factors %}
        let own_start = {{ start_of(value_rows, "rows + own_slot") }};
        let own_scale = {{ value_rows.read_scale("values", "own_start") }};
{%- endif %}
{%- for g in range(group) %}
        let logit{{ g }} = logits[row{{ g }} + own_slot];
        let held{{ g }} = slot < count && logit{{ g }} > HIDDEN;
        let weight{{ g }} = select(0.0, exp(logit{{ g }} - top{{ g }}), held{{ g }});
        sum{{ g }} += weight{{ g }};
{%- if value_rows.code_factors %}
        let part{{ g }} = select(0.0, own_scale * weight{{ g }}, held{{ g }});
        scaled{{ g }} += part{{ g }};
        let own{{ g }} = of_quad(part{{ g }});
{%- else %}
        let own{{ g }} = of_quad(weight{{ g }});
{%- endif %}
{%- endfor %}
{%- for i in range(4) %}
        let start{{ i }} =
            {{ start_of(value_rows, "rows + min(four + " ~ i ~ "u, count - 1u)") }};
{%- for o in range(share) %}
{{ weigh("start" ~ i, [".x", ".y", ".z", ".w"][i], o, i ~ "_" ~ o) }}
{%- endfor %}
{%- endfor %}
    }
{%- for g in range(group) %}
    sum{{ g }} = dot(of_quad(sum{{ g }}), vec4<f32>(1.0));
{%- if value_rows.code_factors %}
    scaled{{ g }} = dot(of_quad(scaled{{ g }}), vec4<f32>(1.0));
{%- endif %}
{%- endfor %}
{%- else %}
    if stripe < STRIPES {
        for (var slot = stripe; slot < count; slot += STRIPES) {
            let start = {{ start_of(value_rows, "rows + slot") }};
{%- if value_rows.code_factors %}
            let row_scale = {{ value_rows.read_scale("values", "start") }};
{%- endif %}
{%- for g in range(group) %}
            let logit{{ g }} = logits[row{{ g }} + slot];
            // Where nothing is held in the whole split, the largest logit is that of the empty
            // slots.
            let held{{ g }} = logit{{ g }} > HIDDEN;
            let weight{{ g }} = select(0.0, exp(logit{{ g }} - top{{ g }}), held{{ g }});
            sum{{ g }} += weight{{ g }};
{%- if value_rows.code_factors %}
            let own{{ g }} = select(0.0, row_scale * weight{{ g }}, held{{ g }});
            scaled{{ g }} += own{{ g }};
{%- else %}
            let own{{ g }} = weight{{ g }};
{%- endif %}
{%- endfor %}
{%- for o in range(share) %}
{{ weigh("start", "", o, o) }}
{%- endfor %}
        }
    }
{%- endif %}
{%- if value_rows.code_factors %}
    // Codes become elements.
{%- for g in range(group) %}
{%- for o in range(share) %}
    c{{ g }}_{{ o }} = {{ value_rows.code_factors[0] }} * c{{ g }}_{{ o }}
        - {{ value_rows.code_offsets[0] }} * scaled{{ g }};
    d{{ g }}_{{ o }} = {{ value_rows.code_factors[1] }} * d{{ g }}_{{ o }}
        - {{ value_rows.code_offsets[1] }} * scaled{{ g }};
{%- endfor %}
{%- endfor %}
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
        partials[partial + {{ 2 * g + 1 }}u] = bitcast<f32>(bitcast<u32>(whole) | nan);
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
        partials[partial + {{ 2 * g + 1 }}u] = bitcast<f32>(bitcast<u32>(sum{{ g }}) | nan);
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
