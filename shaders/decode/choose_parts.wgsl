// Per part of the logits: the largest (the first of equal ones), the sum of exponentials relative
// to it, the number of invalid logits.

@group(0) @binding(_) var<storage, read> logits: array<f32>;
// Largest, its token, sum, and how many are NaN or +infinity.
@group(0) @binding(_) var<storage, read_write> parts: array<vec4<u32>>;

const THREADS: u32 = {{ threads }}u;
const PART: u32 = {{ part }}u;

var<workgroup> own: array<vec4<u32>, {{ threads }}>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let start = workgroup.x * PART;
    let end = min(start + PART, {{ vocabulary }}u);
    var best = vec4<u32>(bitcast<u32>(-3.0e38), {{ nothing }}u, 0u, 0u);
    var largest = -3.0e38;
    for (var token = start + thread; token < end; token += THREADS) {
        let logit = logits[token];
        let bits = bitcast<u32>(logit);
        if (bits & 0x7f800000u) == 0x7f800000u {
            // Minus infinity means never; anything else of that kind is an error.
            best.w += select(1u, 0u, bits == 0xff800000u);
        } else if logit > largest || best.y == {{ nothing }}u {
            largest = logit;
            best.y = token;
        }
    }
    var sum = 0.0;
    for (var token = start + thread; token < end; token += THREADS) {
        if (bitcast<u32>(logits[token]) & 0x7f800000u) != 0x7f800000u {
            sum += exp(logits[token] - largest);
        }
    }
    own[thread] = vec4<u32>(bitcast<u32>(largest), best.y, bitcast<u32>(sum), best.w);
    workgroupBarrier();
    if thread == 0u {
        parts[workgroup.x] = merged();
    }
}

fn merged() -> vec4<u32> {
    var all = own[0];
    for (var i = 1u; i < THREADS; i += 1u) {
        all = both(all, own[i]);
    }
    return all;
}
