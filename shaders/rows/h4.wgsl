{#-
Rows of 4-bit integers, eight per word, and the row's scale, an f32 in the last word. Code c stands
for (c - 7.5) times the scale; a word's low half-bytes are its first four elements. Of rotated
elements: see `cache/frame.rs`. `f16.wgsl` says what the macros do.
-#}

{%- set eight_type = "u32" -%}
{%- set pair_type = "u32" -%}

{%- macro read_eight(buffer, eight, name) %}
    let row{{ name }} = ({{ eight }}) / {{ dim // 8 }}u * {{ dim // 8 + 1 }}u;
    let scale{{ name }} = bitcast<f32>({{ buffer }}[row{{ name }} + {{ dim // 8 }}u]);
    let word{{ name }} = {{ buffer }}[row{{ name }} + ({{ eight }}) % {{ dim // 8 }}u];
    let a{{ name }} = scale{{ name }} * h4_levels(word{{ name }});
    let b{{ name }} = scale{{ name }} * h4_levels(word{{ name }} >> 4u);
{%- endmacro -%}

{%- macro read_pair(buffer, pair, name) %}
    let row{{ name }} = ({{ pair }}) / {{ dim // 2 }}u * {{ dim // 8 + 1 }}u;
    let scale{{ name }} = bitcast<f32>({{ buffer }}[row{{ name }} + {{ dim // 8 }}u]);
    let word{{ name }} = {{ buffer }}[row{{ name }} + ({{ pair }}) % {{ dim // 2 }}u / 4u];
    let high{{ name }} = ({{ pair }}) % 4u >= 2u;
    let second{{ name }} = ({{ pair }}) % 2u == 1u;
    let four{{ name }} = h4_levels(select(word{{ name }}, word{{ name }} >> 4u, high{{ name }}));
    let pair{{ name }} = scale{{ name }}
        * select(four{{ name }}.xy, four{{ name }}.zw, second{{ name }});
{%- endmacro -%}

{#- A whole row: of eight scales that of the least squared error. -#}
{%- macro write_pairs(buffer, pair, count) %}
    let row_word = ({{ pair }}) / {{ dim // 2 }}u * {{ dim // 8 + 1 }}u;
    var largest = vec2<f32>(0.0);
{%- for i in range(count) %}
    largest = max(largest, abs(pair{{ i }}));
{%- endfor %}
    let row_most = max(largest.x, largest.y);
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
    {{ buffer }}[row_word + {{ dim // 8 }}u] = bitcast<u32>(row_scale);
{%- endmacro -%}

{%- macro read_functions() %}
fn h4_levels(word: u32) -> vec4<f32> {
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    return vec4<f32>(codes) - 7.5;
}
{%- endmacro -%}

{%- macro write_functions() %}
fn h4_codes(scaled: vec2<f32>) -> vec2<f32> {
    return clamp(round(scaled + 7.5), vec2<f32>(0.0), vec2<f32>(15.0));
}
{%- endmacro -%}
