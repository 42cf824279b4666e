{#-
Rows of 8-bit integers, four per word, and the row's scale, an f32 in the last word. Of rotated
elements: see `cache/frame.rs`. `f16.wgsl` says what the macros do.
-#}

{%- set eight_type = "u32" -%}
{%- set pair_type = "u32" -%}

{%- macro read_eight(buffer, eight, name) %}
    let row{{ name }} = ({{ eight }}) / {{ dim // 8 }}u * {{ dim // 4 + 1 }}u;
    let scale{{ name }} = bitcast<f32>({{ buffer }}[row{{ name }} + {{ dim // 4 }}u]);
    let word{{ name }} = row{{ name }} + 2u * (({{ eight }}) % {{ dim // 8 }}u);
    let a{{ name }} = scale{{ name }} * h8_four({{ buffer }}[word{{ name }}]);
    let b{{ name }} = scale{{ name }} * h8_four({{ buffer }}[word{{ name }} + 1u]);
{%- endmacro -%}

{%- macro read_pair(buffer, pair, name) %}
    let row{{ name }} = ({{ pair }}) / {{ dim // 2 }}u * {{ dim // 4 + 1 }}u;
    let scale{{ name }} = bitcast<f32>({{ buffer }}[row{{ name }} + {{ dim // 4 }}u]);
    let four{{ name }} = h8_four({{ buffer }}[row{{ name }} + ({{ pair }}) % {{ dim // 2 }}u / 2u]);
    let pair{{ name }} = scale{{ name }}
        * vec2<f32>(select(four{{ name }}.xy, four{{ name }}.zw, ({{ pair }}) % 2u == 1u));
{%- endmacro -%}

{#- A whole row. -#}
{%- macro write_pairs(buffer, pair, count) %}
    let row_word = ({{ pair }}) / {{ dim // 2 }}u * {{ dim // 4 + 1 }}u;
    var largest = vec2<f32>(0.0);
{%- for i in range(count) %}
    largest = max(largest, abs(pair{{ i }}));
{%- endfor %}
    let row_scale = max(largest.x, largest.y) / 127.0;
    let row_factor = select(0.0, 1.0 / row_scale, row_scale > 0.0);
{%- for i in range(0, count, 2) %}
    {{ buffer }}[row_word + {{ i // 2 }}u] =
        h8_word(row_factor * vec4<f32>(pair{{ i }}, pair{{ i + 1 }}));
{%- endfor %}
    {{ buffer }}[row_word + {{ dim // 4 }}u] = bitcast<u32>(row_scale);
{%- endmacro -%}

{%- macro read_functions() %}
fn h8_four(word: u32) -> vec4<f32> {
    let bytes = vec4<i32>(bitcast<i32>(word)) << vec4<u32>(24u, 16u, 8u, 0u);
    return vec4<f32>(bytes >> vec4<u32>(24u));
}
{%- endmacro -%}

{%- macro write_functions() %}
fn h8_word(scaled: vec4<f32>) -> u32 {
    let bytes = bitcast<vec4<u32>>(vec4<i32>(round(scaled))) & vec4<u32>(255u);
    return bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}
{%- endmacro -%}
