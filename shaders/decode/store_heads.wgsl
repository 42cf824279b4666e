// One head of the new token per workgroup, a lane per four elements. The head goes into the frame
// that its rows are stored in, see `cache/frame.rs`. A query stays in the activations, a key and a
// value go into the slot that is next for their head, and among the exact rows.

@group(0) @binding(_) var<storage, read_write> activations: array<vec4<f32>>;
@group(0) @binding(_) var<storage, read_write> keys: array<{{ key_rows.pair_type }}>;
@group(0) @binding(_) var<storage, read_write> values: array<{{ value_rows.pair_type }}>;
@group(0) @binding(_) var<storage, read_write> positions: array<i32>;
@group(0) @binding(_) var<storage, read> next: array<u32>;
{%- if exact_keys %}
@group(0) @binding(_) var<storage, read_write> exact_keys: array<{{ exact_rows.pair_type }}>;
{%- endif %}
{%- if exact_values %}
@group(0) @binding(_) var<storage, read_write> exact_values: array<{{ exact_rows.pair_type }}>;
{%- endif %}
{%- if keys_in_frame %}
// Per KV head the mean key, then the balance.
@group(0) @binding(_) var<storage, read> frame: array<vec4<f32>>;
{%- endif %}
@group(0) @binding(_) var<uniform> step: array<vec4<u32>, {{ step_words }}>;
@group(0) @binding(_) var<uniform> place: vec4<u32>;

const QUADS: u32 = {{ dim // 4 }}u;

var<workgroup> row: array<vec4<f32>, QUADS>;
{{ key_rows.write_functions() }}
{%- if types_differ %}
{{ value_rows.write_functions() }}
{%- endif %}
{%- if exact_functions %}
{{ exact_rows.write_functions() }}
{%- endif %}

{%- macro write(rows, unit, buffer, to) %}
{%- set quads = [unit // 4, 1] | max %}
        if quad % {{ quads }}u == 0u {
{%- for q in range(quads) %}
            let pair{{ 2 * q }} = row[quad + {{ q }}u].xy;
            let pair{{ 2 * q + 1 }} = row[quad + {{ q }}u].zw;
{%- endfor %}
            let at = {{ to }} * {{ dim // 2 }}u + 2u * quad;
{{ rows.write_pairs(buffer, "at", 2 * quads) }}
        }
{%- endmacro %}

@compute @workgroup_size(QUADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) quad: u32,
) {
    let index = workgroup.x;
    let is_query = index < {{ query_heads }}u;
    let is_key = !is_query && index < {{ query_heads + kv_heads }}u;
    var at_head = {{ at.queries }}u + index * QUADS;
    var kv = index / {{ group }}u;
    if !is_query {
        at_head = {{ at.new_rows }}u + (index - {{ query_heads }}u) * QUADS;
        kv = (index - {{ query_heads }}u) % {{ kv_heads }}u;
    }
    var x = activations[at_head + quad];
{%- if keys_in_frame %}
    let mean = frame[2u * kv * QUADS + quad];
    let balance = frame[(2u * kv + 1u) * QUADS + quad];
    if is_query {
        x /= balance;
    } else if is_key {
        x = (x - mean) * balance;
    }
{%- endif %}
    turning[quad] = x;
    workgroupBarrier();
{%- if keys_in_frame %}
    if is_query || is_key {
        x = rotated(quad);
    }
{%- endif %}
{%- if values_in_frame %}
    if !is_query && !is_key {
        x = rotated(quad);
    }
{%- endif %}
    row[quad] = x;
    workgroupBarrier();
    if is_query {
        activations[at_head + quad] = x;
        return;
    }
    let position = step[0].x;
    let capacity = step[{{ step_header }}u + 2u * place.x].x;
    let slot = kv * capacity + min(next[place.x * {{ kv_heads }}u + kv], capacity - 1u);
{%- if exact_keys or exact_values %}
    let is_first = position < {{ sinks }}u;
    let exact = select({{ sinks }}u + position % {{ ring }}u, position, is_first);
    let kept = kv * {{ sinks + ring }}u + exact;
{%- endif %}
    if is_key {
        if quad == 0u {
            positions[slot] = i32(position);
        }
{{ write(key_rows, key_unit, "keys", "slot") }}
{%- if exact_keys %}
{{ write(exact_rows, exact_unit, "exact_keys", "kept") }}
{%- endif %}
    } else {
{{ write(value_rows, value_unit, "values", "slot") }}
{%- if exact_values %}
{{ write(exact_rows, exact_unit, "exact_values", "kept") }}
{%- endif %}
    }
}
