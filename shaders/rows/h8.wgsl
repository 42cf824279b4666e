{#-
Rows of 8-bit integers, four per word, and the row's scale, an f32 in the last word. Of rotated
elements: see `cache/frame.rs`. `f16.wgsl` says what the macros do.
-#}

{%- set eight_type = "u32" -%}
{%- set pair_type = "u32" -%}

{#- An element is scale * (factor * code - offset), with these for both fours of an eight. -#}
{%- set code_factors = [
    "vec4<f32>(1.0, 0x1p-8, 0x1p-16, 0x1p-24)", "vec4<f32>(1.0, 0x1p-8, 0x1p-16, 0x1p-24)",
] -%}
{%- set code_offsets = [
    "vec4<f32>(128.0, 128.0, 128.0, 0.0)", "vec4<f32>(128.0, 128.0, 128.0, 0.0)",
] -%}

{%- macro row_start(row) -%}({{ row }}) * {{ dim // 4 + 1 }}u{%- endmacro -%}

{%- macro read_scale(buffer, start) -%}
bitcast<f32>({{ buffer }}[{{ start }} + {{ dim // 4 }}u])
{%- endmacro -%}

{%- macro read_codes(buffer, start, oct, name) %}
    let word{{ name }} = {{ start }} + 2u * ({{ oct }});
    let a{{ name }} = h8_codes({{ buffer }}[word{{ name }}]);
    let b{{ name }} = h8_codes({{ buffer }}[word{{ name }} + 1u]);
{%- endmacro -%}

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

{#- A whole row. One with an element that is no finite number has NaN as its scale. -#}
{%- macro write_pairs(buffer, pair, count) %}
    let row_word = ({{ pair }}) / {{ dim // 2 }}u * {{ dim // 4 + 1 }}u;
    // Magnitudes compare as their bits do, and NaNs are above them all.
    var largest = vec2<u32>(0u);
{%- for i in range(count) %}
    largest = max(largest, bitcast<vec2<u32>>(pair{{ i }}) & vec2<u32>(0x7fffffffu));
{%- endfor %}
    let row_bits = max(largest.x, largest.y);
    let is_stored = row_bits < 0x7f800000u;
    let row_scale = bitcast<f32>(select(0u, row_bits, is_stored)) / 127.0;
    let row_factor = select(0.0, 1.0 / row_scale, row_scale > 0.0);
{%- for i in range(0, count, 2) %}
    {{ buffer }}[row_word + {{ i // 2 }}u] =
        h8_word(row_factor * vec4<f32>(pair{{ i }}, pair{{ i + 1 }}));
{%- endfor %}
    {{ buffer }}[row_word + {{ dim // 4 }}u] =
        select(0x7fc00000u, bitcast<u32>(row_scale), is_stored);
{%- endmacro -%}

{%- macro read_functions() %}
// Codes in their places in the word: the last with its sign, 128 added to the others.
fn h8_codes(word: u32) -> vec4<f32> {
    let bytes = vec4<u32>(0xffu, 0xff00u, 0xff0000u, 0xff000000u) & vec4<u32>(word ^ 0x808080u);
    return vec4<f32>(bitcast<vec4<i32>>(bytes));
}

fn h8_four(word: u32) -> vec4<f32> {
    return {{ code_factors[0] }} * h8_codes(word) - {{ code_offsets[0] }};
}
{%- endmacro -%}

{%- macro write_functions() %}
fn h8_word(scaled: vec4<f32>) -> u32 {
    let bytes = bitcast<vec4<u32>>(vec4<i32>(round(scaled))) & vec4<u32>(255u);
    return bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}
{%- endmacro -%}
