{#-
Rows of f16 (IEEE 754 binary16), two elements per word, the even-numbered one in the low half.

Every file here has the same macros. Kernels count eights and pairs of elements over all rows of a
buffer: row `r` of `d` elements begins at eight `r * d / 8` and at pair `r * d / 2`.
-#}

{#- Element types of a buffer of rows: of kernels that read eights, and of those that use pairs. -#}
{%- set eight_type = "vec4<u32>" -%}
{%- set pair_type = "u32" -%}

{#- Declares `a<name>` and `b<name>`, the first and the last four elements of an eight. -#}
{%- macro read_eight(buffer, eight, name) %}
    let words{{ name }} = {{ buffer }}[{{ eight }}];
    let a{{ name }} = first_four(words{{ name }});
    let b{{ name }} = last_four(words{{ name }});
{%- endmacro -%}

{#- Declares `pair<name>`, two neighbours. -#}
{%- macro read_pair(buffer, pair, name) %}
    let pair{{ name }} = unpack2x16float({{ buffer }}[{{ pair }}]);
{%- endmacro -%}

{#- Writes `pair0` to `pair<count - 1>` from a pair on: whole units of the storage type. -#}
{%- macro write_pairs(buffer, pair, count) %}
{%- for i in range(count) %}
    {{ buffer }}[{{ pair }} + {{ i }}u] = packed_halves(pair{{ i }});
{%- endfor %}
{%- endmacro -%}

{#- The functions that `read_eight` and `read_pair` call. -#}
{%- macro read_functions() %}
fn first_four(words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}

fn last_four(words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(words.z), unpack2x16float(words.w));
}
{%- endmacro -%}

{#- The functions that `write_pairs` calls. -#}
{%- macro write_functions() %}
// Both elements as f16, the first in the low half: to the nearest, ties to even, as the crate
// `half` rounds. `pack2x16float` leaves the direction of rounding to the adapter.
fn packed_halves(pair: vec2<f32>) -> u32 {
    let bits = bitcast<vec2<u32>>(pair);
    let magnitude = bits & vec2<u32>(0x7fffffffu);
    // Rebias the exponent from 127 to 15. What is added below the 13 bits that go rounds; a tie by
    // the last bit that stays.
    let last = (magnitude >> vec2<u32>(13u)) & vec2<u32>(1u);
    let normal = (magnitude - (112u << 23u) + 0xfffu + last) >> vec2<u32>(13u);
    // Next to 0.5, f32's last place is that of a subnormal f16: the addition rounds.
    let subnormal = bitcast<vec2<u32>>(bitcast<vec2<f32>>(magnitude) + 0.5) - bitcast<u32>(0.5);
    // 2^-14 is the smallest normal f16, everything from 2^16 on is infinite; above f32's infinity
    // are its NaNs.
    var rounded = select(normal, subnormal, magnitude < vec2<u32>(0x38800000u));
    rounded = select(rounded, vec2<u32>(0x7c00u), magnitude >= vec2<u32>(0x47800000u));
    rounded = select(rounded, vec2<u32>(0x7e00u), magnitude > vec2<u32>(0x7f800000u));
    rounded |= (bits >> vec2<u32>(16u)) & vec2<u32>(0x8000u);
    return rounded.x | (rounded.y << 16u);
}
{%- endmacro -%}
