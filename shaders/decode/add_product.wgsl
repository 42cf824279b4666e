{%- if norms_after %}
// matrix · input, {{ tile }} rows per workgroup, and the sum of squares of these rows: `add_normed`
// norms the product and adds it.
{%- else %}
// hidden += matrix · input, {{ tile }} rows per workgroup. For the next norm: the new hidden state
// times the norm's weight, and the sum of squares of these rows.
{%- endif %}

@group(0) @binding(_) var<storage, read_write> activations: array<vec4<f32>>;
{%- if not norms_after %}
@group(0) @binding(_) var<storage, read> norm: array<vec4<f32>>;
{%- endif %}
{%- if bias %}
@group(0) @binding(_) var<storage, read> bias: array<vec4<f32>>;
{%- endif %}

const THREADS: u32 = {{ tile // rows * lanes }}u;

var<workgroup> squares: array<f32, {{ tile // 4 }}>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
{%- if in_quads %}
    @builtin(subgroup_invocation_id) member: u32,
{%- endif %}
) {
    let lane = thread % {{ lanes }}u;
    let own = thread / {{ lanes }}u * {{ rows }}u;
    let first = workgroup.x * {{ tile }}u + own;
    let second = first + {{ rows // 2 }}u;
    let own_sums =
        products({{ input }}u, first, second, lane{% if in_quads %}, member{% endif %});
    share(lane, own, own + {{ rows // 2 }}u, own_sums);

    for (var quad = thread; quad < {{ tile // 4 }}u; quad += THREADS) {
        let row = 4u * quad;
        let at = workgroup.x * {{ tile // 4 }}u + quad;
        let sum = vec4<f32>(whole(row), whole(row + 1u), whole(row + 2u), whole(row + 3u));
{%- set added = "(sum + bias[at])" if bias else "sum" %}
{%- if norms_after %}
        let hidden = {{ added }};
        activations[{{ at.added }}u + at] = hidden;
{%- else %}
        let hidden = activations[{{ at.hidden }}u + at] + {{ residual_factor }}{{ added }};
        activations[{{ at.hidden }}u + at] = hidden;
        activations[{{ at.weighted }}u + at] = hidden * norm[at];
{%- endif %}
        squares[quad] = dot(hidden, hidden);
    }
    workgroupBarrier();
    if thread == 0u {
        var sum = 0.0;
        for (var quad = 0u; quad < {{ tile // 4 }}u; quad += 1u) {
            sum += squares[quad];
        }
        activations[{{ at.added_squares if norms_after else at.squares }}u + workgroup.x] =
            vec4<f32>(sum, 0.0, 0.0, 0.0);
    }
}
