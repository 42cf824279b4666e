{#- Rows of f32, one element per word. `f16.wgsl` says what the macros do. -#}

{%- set eight_type = "vec4<f32>" -%}
{%- set pair_type = "vec2<f32>" -%}

{%- macro read_eight(buffer, eight, name) %}
    let a{{ name }} = {{ buffer }}[2u * ({{ eight }})];
    let b{{ name }} = {{ buffer }}[2u * ({{ eight }}) + 1u];
{%- endmacro -%}

{%- macro read_pair(buffer, pair, name) %}
    let pair{{ name }} = {{ buffer }}[{{ pair }}];
{%- endmacro -%}

{%- macro write_pairs(buffer, pair, count) %}
{%- for i in range(count) %}
    {{ buffer }}[{{ pair }} + {{ i }}u] = pair{{ i }};
{%- endfor %}
{%- endmacro -%}

{%- macro read_functions() %}{% endmacro -%}
{%- macro write_functions() %}{% endmacro -%}
