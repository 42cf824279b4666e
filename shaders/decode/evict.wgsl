// Selection in one KV head. Computes every slot's score: this step's attention, averaged over the
// query group, plus the previous score times the order's carry. Then empties the slots that rank
// lowest, one by one; of equal scores the later position goes.

@group(0) @binding(_) var<storage, read> logits: array<f32>;
@group(0) @binding(_) var<storage, read> stats: array<vec2<f32>>;
@group(0) @binding(_) var<storage, read_write> scores: array<f32>;
@group(0) @binding(_) var<storage, read_write> positions: array<i32>;
@group(0) @binding(_) var<storage, read_write> next: array<u32>;
@group(0) @binding(_) var<uniform> step: array<vec4<u32>, {{ step_words }}>;
@group(0) @binding(_) var<uniform> place: vec4<u32>;

const THREADS: u32 = {{ threads }}u;
const ABOVE: f32 = 1.0e30;

var<workgroup> least: array<f32, {{ threads }}>;
var<workgroup> latest: array<i32, {{ threads }}>;
var<workgroup> where_is: array<u32, {{ threads }}>;
var<workgroup> evicted: u32;
var<workgroup> counts: array<u32, {{ threads }}>;
var<workgroup> counted: u32;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let kv = workgroup.x;
    let layer = step[{{ step_header }}u + 2u * place.x];
    let rule = step[{{ step_header }}u + 2u * place.x + 1u];
    let capacity = layer.x;
    let reach = layer.y;
    let decay = bitcast<f32>(layer.w);
    let newest = i32(step[0].x);
    let from_position = i32(rule.x);
    let by_position = (rule.w & 2u) != 0u;
    let first = kv * capacity;
    // Slots to evict, and the rank from which on positions are recent.
    var count = layer.z;
    var rank = rule.z;
    if (rule.w & 4u) != 0u {
        let pair = step[{{ step_heads }}u + place.x * {{ (kv_heads + 1) // 2 }}u + kv / 2u];
        count = select(pair.x, pair.z, kv % 2u == 1u);
        rank = select(pair.y, pair.w, kv % 2u == 1u);
    }
    var recent = i32(rule.y);
    if rank > 0u {
        recent = position_after(rank - 1u, first, reach, thread);
    }
{%- for g in range(group) %}
    let stat{{ g }} = stats[kv * {{ group }}u + {{ g }}u];
{%- endfor %}

    for (var slot = thread; slot < reach; slot += THREADS) {
        var score = 0.0;
{%- for g in range(group) %}
        score += exp(logits[(kv * {{ group }}u + {{ g }}u) * capacity + slot] - stat{{ g }}.x)
            / stat{{ g }}.y;
{%- endfor %}
        score /= {{ group }}.0;
        let own = positions[first + slot];
        // The newest token's slot still has the score of what was in it before, if anything.
        if decay > 0.0 && own >= 0 && own != newest {
            score += decay * scores[first + slot];
        }
        scores[first + slot] = score;
    }

    // Look for the lowest of this thread's own slots: at first, and after it was emptied.
    var sought = true;
    for (var turn = 0u; turn < count; turn += 1u) {
        if sought {
            var lowest = ABOVE;
            var position = -1;
            var at = {{ nothing }}u;
            for (var slot = thread; slot < reach; slot += THREADS) {
                let own = positions[first + slot];
                if own < from_position || own >= recent || own < 0 {
                    continue;
                }
                var score = 0.0;
                if !by_position {
                    score = scores[first + slot];
                    // What is not a number compares with none, and goes first.
                    score = select(-1.0, score, score >= 0.0);
                }
                if score < lowest || (score == lowest && own > position) {
                    lowest = score;
                    position = own;
                    at = slot;
                }
            }
            least[thread] = lowest;
            latest[thread] = position;
            where_is[thread] = at;
        }
        workgroupBarrier();
        if thread == 0u {
            var best = 0u;
            for (var i = 1u; i < THREADS; i += 1u) {
                if least[i] < least[best] || (least[i] == least[best] && latest[i] > latest[best]) {
                    best = i;
                }
            }
            evicted = where_is[best];
            let entry = place.x * {{ kv_heads }}u + kv;
            next[entry] = min(next[entry], evicted);
        }
        workgroupBarrier();
        // Whoever reads this slot's position also writes it.
        sought = evicted != {{ nothing }}u && evicted % THREADS == thread;
        if sought {
            positions[first + evicted] = -1;
        }
    }
}

// The position with exactly `before` held positions of the head before it, by bisection.
fn position_after(before: u32, first: u32, reach: u32, thread: u32) -> i32 {
    var low = 0;
    var high = i32(step[0].x);
    for (var halving = 0u; halving < 32u; halving += 1u) {
        let middle = low + (high - low) / 2;
        var count = 0u;
        for (var slot = thread; slot < reach; slot += THREADS) {
            let own = positions[first + slot];
            count += select(0u, 1u, own >= 0 && own <= middle);
        }
        counts[thread] = count;
        workgroupBarrier();
        if thread == 0u {
            for (var i = 1u; i < THREADS; i += 1u) {
                count += counts[i];
            }
            counted = count;
        }
        let all = workgroupUniformLoad(&counted);
        if low < high {
            if all > before {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
    }
    return low;
}
