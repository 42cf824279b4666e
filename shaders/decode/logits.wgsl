// Logits: the last norm, then the output matrix.

@group(0) @binding(_) var<storage, read_write> activations: array<vec4<f32>>;
@group(0) @binding(_) var<storage, read_write> logits: array<f32>;

const THREADS: u32 = {{ tile // rows * lanes }}u;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
{%- if in_quads %}
    @builtin(subgroup_invocation_id) member: u32,
{%- endif %}
) {
    let lane = thread % {{ lanes }}u;
    let own = thread / {{ lanes }}u * {{ rows }}u;
    let start = (workgroup.y * grid.x + workgroup.x) * {{ tile }}u;
    let first = start + own;
    let second = first + {{ rows // 2 }}u;
    let own_sums =
        products({{ at.weighted }}u, first, second, lane{% if in_quads %}, member{% endif %});
    share(lane, own, own + {{ rows // 2 }}u, own_sums);

    let scale = rms_scale();
    for (var row = thread; row < {{ tile }}u; row += THREADS) {
        if start + row < {{ height }}u {
            logits[start + row] = {{ logit_factor }}scale * whole(row);
        }
    }
}
