{%- if in_frame %}
// A head on its way into the frame, or out of it.
var<workgroup> turning: array<vec4<f32>, {{ dim // 4 }}>;

// Four elements of `turning` times a Hadamard matrix (Sylvester's) per {{ 4 * rotation_quads }}
// elements, over the square root of its order. The matrix is its own inverse.
fn rotated(quad: u32) -> vec4<f32> {
    let own = quad % {{ rotation_quads }}u;
    let first = quad - own;
    var sum = vec4<f32>(0.0);
    for (var other = 0u; other < {{ rotation_quads }}u; other += 1u) {
        let x = turning[first + other];
        sum += select(x, -x, countOneBits(own & other) % 2u == 1u);
    }
    let pairs = vec4<f32>(sum.x + sum.y, sum.x - sum.y, sum.z + sum.w, sum.z - sum.w);
    let all = vec4<f32>(pairs.xy + pairs.zw, pairs.xy - pairs.zw);
    return {{ rotation_size }} * all;
}
{%- endif %}
