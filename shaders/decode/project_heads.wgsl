// Norm, then one head's rows of queries, keys or values per workgroup; bias, the head's own norm
// and RoPE where there are any. A query goes to the activations, a key and a value go into the slot
// that is next for their head.
{%- set finishes = norms_of_all_heads and not is_product %}
{%- set unfinished = norms_of_all_heads and is_product %}
{%- if norms_of_all_heads %}
// A norm goes over all heads: one kernel of this text puts heads and their sums of squares into the
// activations, and the next takes them from there.
{%- endif %}
{%- set stores = not in_frame and not unfinished %}

@group(0) @binding(_) var<storage, read_write> activations: array<vec4<f32>>;
{%- if stores %}
@group(0) @binding(_) var<storage, read_write> keys: array<{{ key_rows.pair_type }}>;
@group(0) @binding(_) var<storage, read_write> values: array<{{ value_rows.pair_type }}>;
@group(0) @binding(_) var<storage, read_write> positions: array<i32>;
@group(0) @binding(_) var<storage, read> next: array<u32>;
{%- endif %}
{%- if biases or (extras and not unfinished) %}
@group(0) @binding(_) var<storage, read> extras: array<f32>;
{%- endif %}
{%- if not unfinished and (rotates or query_growth or not in_frame) %}
@group(0) @binding(_) var<uniform> step: array<vec4<u32>, {{ step_words }}>;
{%- endif %}
{%- if stores %}
@group(0) @binding(_) var<uniform> place: vec4<u32>;
{%- endif %}

const THREADS: u32 = {{ threads if finishes else tile // rows * lanes }}u;

var<workgroup> head: array<f32, {{ dim }}>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
{%- if in_quads %}
    @builtin(subgroup_invocation_id) member: u32,
{%- endif %}
) {
{%- if finishes %}
    let index = workgroup.x;
    let start = at_head(index);
    for (var row = thread; row < {{ dim }}u; row += THREADS) {
        head[row] = activations[start + row / 4u][row % 4u];
    }
{%- else %}
    let lane = thread % {{ lanes }}u;
    let own = thread / {{ lanes }}u * {{ rows }}u;
    let first = workgroup.x * {{ dim }}u + own;
    let second = first + {{ rows // 2 }}u;
    let own_sums =
        products({{ at.weighted }}u, first, second, lane{% if in_quads %}, member{% endif %});
    share(lane, own, own + {{ rows // 2 }}u, own_sums);

    let index = {{ first_head }}u + workgroup.x;
    let scale = {{ "rms_scale()" if norms_before else "1.0" }};
    for (var row = thread; row < {{ dim }}u; row += THREADS) {
        head[row] = scale * whole(row){% if biases %} + extras[index * {{ dim }}u + row]{% endif %};
    }
{%- endif %}
    workgroupBarrier();
{%- if unfinished %}
    let start = at_head(index);
    for (var quad = thread; quad < {{ dim // 4 }}u; quad += THREADS) {
        let first = 4u * quad;
        let begin = vec2<f32>(head[first], head[first + 1u]);
        activations[start + quad] = vec4<f32>(begin, head[first + 2u], head[first + 3u]);
    }
    if thread == 0u {
        var squares = 0.0;
        for (var row = 0u; row < {{ dim }}u; row += 1u) {
            squares += head[row] * head[row];
        }
        activations[{{ at.head_squares }}u + index] = vec4<f32>(squares, 0.0, 0.0, 0.0);
    }
}
{%- else %}

    let is_query = index < {{ query_heads }}u;
    let is_key = !is_query && index < {{ query_heads + kv_heads }}u;
    var normed = 1.0;
{%- if head_norms %}
    if is_query || is_key {
        var squares = 0.0;
        for (var row = 0u; row < {{ dim }}u; row += 1u) {
            squares += head[row] * head[row];
        }
        normed = inverseSqrt(squares / {{ dim }}.0 + {{ epsilon }});
    }
{%- endif %}
{%- set binding = "var" if finishes else "let" %}
    // Places of the norms' weights.
    {{ binding }} query_norm = {{ norm_at.query }}u;
    {{ binding }} key_norm = {{ norm_at.key }}u;
{%- if finishes %}
    if is_query || is_key {
        var squares = 0.0;
        let first = select({{ query_heads }}u, 0u, is_query);
        let count = select({{ kv_heads }}u, {{ query_heads }}u, is_query);
        for (var other = first; other < first + count; other += 1u) {
            squares += activations[{{ at.head_squares }}u + other].x;
        }
        normed = inverseSqrt(squares / ({{ dim }}.0 * f32(count)) + {{ epsilon }});
        query_norm += (index - first) * {{ dim }}u;
        key_norm += (index - first) * {{ dim }}u;
    }
{%- endif %}
    if is_query {
        for (var quad = thread; quad < {{ dim // 4 }}u; quad += THREADS) {
            let x = turned(quad, normed, query_norm)
                {%- if query_growth %} * bitcast<f32>(step[0].z){% endif %};
            activations[{{ at.queries }}u + index * {{ dim // 4 }}u + quad] = x;
        }
        return;
    }
{%- if in_frame %}
    let at = {{ at.new_rows }}u + (index - {{ query_heads }}u) * {{ dim // 4 }}u;
    for (var quad = thread; quad < {{ dim // 4 }}u; quad += THREADS) {
        if is_key {
            activations[at + quad] = turned(quad, normed, key_norm);
        } else {
            let first = 4u * quad;
            let begin = vec2<f32>(head[first], head[first + 1u]);
            let end = vec2<f32>(head[first + 2u], head[first + 3u]);
            activations[at + quad] = vec4<f32>(begin, end);
        }
    }
{%- else %}
    let layer = {{ step_header }}u + 2u * place.x;
    let capacity = step[layer].x;
    var kv = index - {{ query_heads }}u;
    if !is_key {
        kv -= {{ kv_heads }}u;
    }
    let slot = kv * capacity + min(next[place.x * {{ kv_heads }}u + kv], capacity - 1u);
    if is_key && thread == 0u {
        positions[slot] = i32(step[0].x);
    }
    // A thread writes whole units of the storage type, and no fewer than four elements.
    if is_key {
{%- set quads = [key_unit // 4, 1] | max %}
        for (var part = thread; part < {{ dim // 4 // quads }}u; part += THREADS) {
            let at = slot * {{ dim // 2 }}u + {{ 2 * quads }}u * part;
{%- for q in range(quads) %}
            let x{{ q }} = turned({{ quads }}u * part + {{ q }}u, normed, key_norm);
            let pair{{ 2 * q }} = x{{ q }}.xy;
            let pair{{ 2 * q + 1 }} = x{{ q }}.zw;
{%- endfor %}
{{ key_rows.write_pairs("keys", "at", 2 * quads) }}
        }
    } else {
{%- set quads = [value_unit // 4, 1] | max %}
        for (var part = thread; part < {{ dim // 4 // quads }}u; part += THREADS) {
            let at = slot * {{ dim // 2 }}u + {{ 2 * quads }}u * part;
            let first = {{ 4 * quads }}u * part;
{%- for p in range(2 * quads) %}
            let pair{{ p }} = vec2<f32>(head[first + {{ 2 * p }}u], head[first + {{ 2 * p + 1 }}u]);
{%- endfor %}
{{ value_rows.write_pairs("values", "at", 2 * quads) }}
        }
    }
{%- endif %}
}

fn normed_row(row: u32, normed: f32, weight: u32) -> f32 {
{%- if head_norms or finishes %}
    return head[row] * normed * extras[weight + row];
{%- else %}
    return head[row];
{%- endif %}
}

// Four of the head's elements after RoPE (Su et al., arXiv 2104.09864, eq. 34).
fn turned(quad: u32, normed: f32, weight: u32) -> vec4<f32> {
    var out = vec4<f32>(0.0);
    for (var i = 0u; i < 4u; i += 1u) {
        let row = 4u * quad + i;
        {{ "var" if rotates else "let" }} x = normed_row(row, normed, weight);
{%- if rotates %}
        if row < {{ rotated }}u {
{%- if interleaved %}
            let second = row % 2u == 1u;
            let pair = row / 2u;
            let other = normed_row(row ^ 1u, normed, weight);
{%- else %}
            let second = row >= {{ rotated // 2 }}u;
            let pair = select(row, row - {{ rotated // 2 }}u, second);
            let partner = select(row + {{ rotated // 2 }}u, row - {{ rotated // 2 }}u, second);
            let other = normed_row(partner, normed, weight);
{%- endif %}
            // Two pairs' cosine and sine a word.
            let both = bitcast<vec4<f32>>(step[{{ angles }}u + pair / 2u]);
            let angle = select(both.xy, both.zw, pair % 2u == 1u);
            x = x * angle.x + select(-other, other, second) * angle.y;
        }
{%- endif %}
        out[i] = x;
    }
    return out;
}

{%- if not in_frame %}
{{ key_rows.write_functions() }}
{%- if types_differ %}
{{ value_rows.write_functions() }}
{%- endif %}
{%- endif %}
{%- endif %}
{%- if norms_of_all_heads %}

// Place of a head in the activations.
fn at_head(index: u32) -> u32 {
    if index < {{ query_heads }}u {
        return {{ at.queries }}u + index * {{ dim // 4 }}u;
    }
    return {{ at.new_rows }}u + (index - {{ query_heads }}u) * {{ dim // 4 }}u;
}
{%- endif %}
