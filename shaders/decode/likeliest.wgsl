// The likeliest tokens by the model's own probabilities, of equal ones those with smaller ids, for
// the report, whose layout src/fused/report.rs describes. One workgroup, each of whose threads has
// consecutive tokens. A thread looks for its next one only when its last one has been taken.

@group(0) @binding(_) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(_) var<storage, read> parts: array<vec4<u32>>;
@group(0) @binding(_) var<storage, read_write> report: array<vec4<u32>>;

const THREADS: u32 = {{ drawing }}u;
const VECTORS: u32 = {{ (vocabulary + 3) // 4 }}u;
const SHARE: u32 = (VECTORS + THREADS - 1u) / THREADS;
const MOST: u32 = {{ most_logprobs }}u;

// The logit of a token that is never chosen.
const NEVER: f32 = -3.0e38;
const LARGEST: f32 = 3.0e38;

// A logit and its token.
var<workgroup> offered: array<vec2<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
    let first = min(thread * SHARE, VECTORS);
    let end = min(first + SHARE, VECTORS);
    var all = parts[0];
    for (var part = 1u; part < {{ parts }}u; part += 1u) {
        all = both(all, parts[part]);
    }
    let normaliser = bitcast<f32>(all.x) + log(bitcast<f32>(all.z));
    var own = next_after(first, end, vec2(LARGEST, -1.0));
    for (var rank = 0u; rank < MOST; rank += 1u) {
        workgroupBarrier();
        offered[thread] = own;
        workgroupBarrier();
        var best = offered[0];
        for (var i = 1u; i < THREADS; i += 1u) {
            if offered[i].x > best.x {
                best = offered[i];
            }
        }
        if thread == 0u {
            let token = select({{ nothing }}u, u32(max(best.y, 0.0)), best.x > NEVER);
            report[1u + rank] = vec4<u32>(token, bitcast<u32>(best.x - normaliser), 0u, 0u);
        }
        if own.y == best.y {
            own = next_after(first, end, best);
        }
    }
}

// The likeliest of the thread's tokens that comes after `taken`.
fn next_after(first: u32, end: u32, taken: vec2<f32>) -> vec2<f32> {
    var best = vec2(NEVER, -1.0);
    for (var i = first; i < end; i += 1u) {
        let four = logits[i];
        let is_number = (bitcast<vec4<u32>>(four) & vec4(0x7f800000u)) != vec4(0x7f800000u);
        for (var lane = 0u; lane < 4u; lane += 1u) {
            let token = 4u * i + lane;
            let id = f32(token);
            let is_later = four[lane] < taken.x || (four[lane] == taken.x && id > taken.y);
            let is_token = is_number[lane] && token < {{ vocabulary }}u;
            if is_token && is_later && four[lane] > best.x {
                best = vec2(four[lane], id);
            }
        }
    }
    return best;
}
