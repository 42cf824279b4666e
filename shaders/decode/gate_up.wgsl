// Norm, gate and up, and SiLU(gate) * up, or GELU(gate) * up (Shazeer, arXiv 2002.05202, eq. 6).
// One matrix holds the rows of gate and below them those of up; a lane has as many of the one as of
// the other.

@group(0) @binding(_) var<storage, read_write> activations: array<vec4<f32>>;
{%- if bias %}
// Those of gate, then those of up.
@group(0) @binding(_) var<storage, read> biases: array<vec4<f32>>;
{%- endif %}

const THREADS: u32 = {{ tile // rows * lanes }}u;
// Rows of each of the two that a workgroup and a lane have.
const HALF: u32 = {{ tile // 2 }}u;
const OWN: u32 = {{ rows // 2 }}u;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
{%- if in_quads %}
    @builtin(subgroup_invocation_id) member: u32,
{%- endif %}
) {
    let lane = thread % {{ lanes }}u;
    let own = thread / {{ lanes }}u * OWN;
    let first = workgroup.x * HALF + own;
    let second = {{ feed_forward }}u + first;
    let own_sums =
        products({{ at.weighted }}u, first, second, lane{% if in_quads %}, member{% endif %});
    share(lane, own, HALF + own, own_sums);

    let scale = {{ "rms_scale()" if norms_before else "1.0" }};
    for (var quad = thread; quad < HALF / 4u; quad += THREADS) {
        let row = 4u * quad;
        let at = workgroup.x * {{ tile // 8 }}u + quad;
        let gate = scale * vec4<f32>(whole(row), whole(row + 1u), whole(row + 2u), whole(row + 3u))
            {%- if bias %} + biases[at]{% endif %};
        let other = HALF + row;
        let up = scale
            * vec4<f32>(whole(other), whole(other + 1u), whole(other + 2u), whole(other + 3u))
            {%- if bias %} + biases[{{ feed_forward // 4 }}u + at]{% endif %};
{%- if gelu %}
        // x · sigmoid(2u) is ½x · (1 + tanh u), Hendrycks and Gimpel's (arXiv 1606.08415). What the
        // bound cuts off is 0 by then.
        let twice = 1.5957691216 * gate * (1.0 + 0.044715 * gate * gate);
        let share = 1.0 / (1.0 + exp(-max(twice, vec4<f32>(-80.0))));
        activations[{{ at.feed_forward }}u + at] = gate * share * up;
{%- else %}
        activations[{{ at.feed_forward }}u + at] = gate / (1.0 + exp(-gate)) * up;
{%- endif %}
    }
}
