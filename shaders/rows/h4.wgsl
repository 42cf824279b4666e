{#-
Rows of 4-bit integers, eight per word, and the row's scale, an f32 in the last word. Code c stands
for (c - 7.5) times the scale; a word's low half-bytes are its first four elements. Of rotated
elements: see `cache/frame.rs`. `f16.wgsl` says what the macros do.
-#}

{%- set eight_type = "u32" -%}
{%- set pair_type = "u32" -%}

{#- An element is scale * (factor * code - offset), with these for both fours of an eight. -#}
{%- set code_factors = [
    "vec4<f32>(1.0, 0x1p-8, 0x1p-16, 0x1p-24)", "vec4<f32>(0x1p-4, 0x1p-12, 0x1p-20, 0x1p-28)",
] -%}
{%- set code_offsets = ["vec4<f32>(7.5)", "vec4<f32>(7.5, 7.5, 7.5, -0.5)"] -%}

{%- macro row_start(row) -%}({{ row }}) * {{ dim // 8 + 1 }}u{%- endmacro -%}

{%- macro read_scale(buffer, start) -%}
bitcast<f32>({{ buffer }}[{{ start }} + {{ dim // 8 }}u])
{%- endmacro -%}

{%- macro read_codes(buffer, start, oct, name) %}
    let word{{ name }} = {{ buffer }}[{{ start }} + {{ oct }}];
    let a{{ name }} = h4_low_codes(word{{ name }});
    let b{{ name }} = h4_high_codes(word{{ name }});
{%- endmacro -%}

{%- macro read_eight(buffer, eight, name) %}
    let row{{ name }} = ({{ eight }}) / {{ dim // 8 }}u * {{ dim // 8 + 1 }}u;
    let scale{{ name }} = bitcast<f32>({{ buffer }}[row{{ name }} + {{ dim // 8 }}u]);
    let word{{ name }} = {{ buffer }}[row{{ name }} + ({{ eight }}) % {{ dim // 8 }}u];
    let a{{ name }} = scale{{ name }} * h4_low(word{{ name }});
    let b{{ name }} = scale{{ name }} * h4_high(word{{ name }});
{%- endmacro -%}

{%- macro read_pair(buffer, pair, name) %}
    let row{{ name }} = ({{ pair }}) / {{ dim // 2 }}u * {{ dim // 8 + 1 }}u;
    let scale{{ name }} = bitcast<f32>({{ buffer }}[row{{ name }} + {{ dim // 8 }}u]);
    let word{{ name }} = {{ buffer }}[row{{ name }} + ({{ pair }}) % {{ dim // 2 }}u / 4u];
    let high{{ name }} = ({{ pair }}) % 4u >= 2u;
    let second{{ name }} = ({{ pair }}) % 2u == 1u;
    let four{{ name }} = select(h4_low(word{{ name }}), h4_high(word{{ name }}), high{{ name }});
    let pair{{ name }} = scale{{ name }}
        * select(four{{ name }}.xy, four{{ name }}.zw, second{{ name }});
{%- endmacro -%}

{#-
A whole row: of eight scales that of the least squared error. One with an element that is no finite
number has NaN as its scale.
-#}
{%- macro write_pairs(buffer, pair, count) %}
    let row_word = ({{ pair }}) / {{ dim // 2 }}u * {{ dim // 8 + 1 }}u;
    // Magnitudes compare as their bits do, and NaNs are above them all.
    var largest = vec2<u32>(0u);
{%- for i in range(count) %}
    largest = max(largest, bitcast<vec2<u32>>(pair{{ i }}) & vec2<u32>(0x7fffffffu));
{%- endfor %}
    let row_bits = max(largest.x, largest.y);
    let is_stored = row_bits < 0x7f800000u;
    let row_most = bitcast<f32>(select(0u, row_bits, is_stored));
    var least = 3.0e38;
    var row_scale = 0.0;
    for (var tried = 0; tried < 8; tried += 1) {
        let scale = row_most * ((1.0 - 0.05 * f32(tried)) / 7.5);
        let factor = select(0.0, 1.0 / scale, scale > 0.0);
        var errors = vec2<f32>(0.0);
{%- for i in range(count) %}
        {
            let error = pair{{ i }} - scale * (h4_codes(factor * pair{{ i }}) - 7.5);
            errors += error * error;
        }
{%- endfor %}
        if errors.x + errors.y < least {
            least = errors.x + errors.y;
            row_scale = scale;
        }
    }
    let row_factor = select(0.0, 1.0 / row_scale, row_scale > 0.0);
{%- for i in range(0, count, 4) %}
    {
{%- for j in range(4) %}
        let code{{ j }} = vec2<u32>(h4_codes(row_factor * pair{{ i + j }}));
{%- endfor %}
        let low = vec4<u32>(code0, code1);
        let codes = low | (vec4<u32>(code2, code3) << vec4<u32>(4u));
        {{ buffer }}[row_word + {{ i // 4 }}u] = codes.x | (codes.y << 8u)
            | (codes.z << 16u) | (codes.w << 24u);
    }
{%- endfor %}
    {{ buffer }}[row_word + {{ dim // 8 }}u] =
        select(0x7fc00000u, bitcast<u32>(row_scale), is_stored);
{%- endmacro -%}

{%- macro read_functions() %}
// Codes in their places in the word.
fn h4_low_codes(word: u32) -> vec4<f32> {
    let codes = vec4<u32>(word) & vec4<u32>(0xfu, 0xf00u, 0xf0000u, 0xf000000u);
    return vec4<f32>(bitcast<vec4<i32>>(codes));
}

// The last is a whole number with a sign: 8 is taken from it.
fn h4_high_codes(word: u32) -> vec4<f32> {
    let codes = vec4<u32>(word ^ 0x80000000u) & vec4<u32>(0xf0u, 0xf000u, 0xf00000u, 0xf0000000u);
    return vec4<f32>(bitcast<vec4<i32>>(codes));
}

fn h4_low(word: u32) -> vec4<f32> {
    return {{ code_factors[0] }} * h4_low_codes(word) - {{ code_offsets[0] }};
}

fn h4_high(word: u32) -> vec4<f32> {
    return {{ code_factors[1] }} * h4_high_codes(word) - {{ code_offsets[1] }};
}
{%- endmacro -%}

{%- macro write_functions() %}
fn h4_codes(scaled: vec2<f32>) -> vec2<f32> {
    return clamp(round(scaled + 7.5), vec2<f32>(0.0), vec2<f32>(15.0));
}
{%- endmacro -%}
