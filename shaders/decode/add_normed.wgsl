// hidden += norm of what attention or feed-forward adds, 32 elements per workgroup. For the next
// norm: the new hidden state times that norm's weight, and the sum of squares of these elements.

@group(0) @binding(_) var<storage, read_write> activations: array<vec4<f32>>;
@group(0) @binding(_) var<storage, read> post_norm: array<vec4<f32>>;
@group(0) @binding(_) var<storage, read> norm: array<vec4<f32>>;

const QUADS: u32 = 8u;

var<workgroup> squares: array<f32, QUADS>;

@compute @workgroup_size(QUADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) quad: u32,
) {
    var all = 0.0;
    for (var part = 0u; part < {{ square_sums }}u; part += 1u) {
        all += activations[{{ at.added_squares }}u + part].x;
    }
    let scale = {{ residual_factor }}inverseSqrt(all / {{ width }}.0 + {{ epsilon }});
    let at = QUADS * workgroup.x + quad;
    let added = scale * activations[{{ at.added }}u + at] * post_norm[at];
    let hidden = activations[{{ at.hidden }}u + at] + added;
    activations[{{ at.hidden }}u + at] = hidden;
    activations[{{ at.weighted }}u + at] = hidden * norm[at];
    squares[quad] = dot(hidden, hidden);
    workgroupBarrier();
    if quad == 0u {
        var sum = 0.0;
        for (var other = 0u; other < QUADS; other += 1u) {
            sum += squares[other];
        }
        activations[{{ at.squares }}u + workgroup.x] = vec4<f32>(sum, 0.0, 0.0, 0.0);
    }
}
