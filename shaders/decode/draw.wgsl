// A token drawn by the rules of `SamplingConfig`: penalties, temperature, top-k, top-p, min-p, in
// this order; then the first token, in the order of ids, at which the cumulative probability passes
// a random part. One workgroup, each of whose threads has consecutive tokens.
//
// Cuts are found bit by bit: the k-th largest number has the largest bit pattern that k numbers
// reach, and the nucleus ends at the largest weight such that those that reach it sum to p.

// The options of `SamplingConfig`, and the draw's own words.
struct Settings {
{%- for option, type in sampling %}
    {{ option }}: {{ type }},
{%- endfor %}
    // Number of logits that change.
    adjusted: u32,
    // Part of the cumulative probability to pass, below 1.
    part: f32,
}

@group(0) @binding(_) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(_) var<storage, read> parts: array<vec4<u32>>;
@group(0) @binding(_) var<storage, read> adjustments: array<vec4<u32>>;
@group(0) @binding(_) var<uniform> settings: Settings;
// Logits with their adjustments, then weights: probabilities times a factor. The likeliest one of
// them is 1.
@group(0) @binding(_) var<storage, read_write> numbers: array<vec4<f32>>;
@group(0) @binding(_) var<storage, read_write> token: array<u32>;
@group(0) @binding(_) var<storage, read_write> report: array<vec4<u32>>;

const THREADS: u32 = {{ drawing }}u;
const VECTORS: u32 = {{ (vocabulary + 3) // 4 }}u;
const SHARE: u32 = (VECTORS + THREADS - 1u) / THREADS;

// The logit of a token that is never chosen, and the weight of one that was cut off.
const NEVER: f32 = -3.0e38;
const CUT: f32 = -1.0;

var<workgroup> shared_sums: array<vec4<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
    let first = min(thread * SHARE, VECTORS);
    let end = min(first + SHARE, VECTORS);
    for (var i = first; i < end; i += 1u) {
        numbers[i] = possible(i, logits[i]);
    }
    storageBarrier();
    for (var i = thread; i < settings.adjusted; i += THREADS) {
        adjust(adjustments[i]);
    }
    storageBarrier();

    let best = likeliest(first, end, thread);
    var chosen = u32(best.y);
    if settings.temperature > 0.0 {
        if settings.top_k > 0u {
            let top = min(settings.top_k, 4u * VECTORS);
            keep(first, end, thread, f32(top), false, NEVER);
        }
        weigh(first, end, best.x);
        if settings.top_p < 1.0 {
            keep(first, end, thread, nucleus(first, end, thread), true, CUT);
        }
        chosen = drawn(first, end, thread, chosen);
    }
    if thread == 0u {
        var all = parts[0];
        for (var part = 1u; part < {{ parts }}u; part += 1u) {
            all = both(all, parts[part]);
        }
        if all.y == {{ nothing }}u {
            chosen = all.y;
        }
        let logit = logits[min(chosen / 4u, VECTORS - 1u)][chosen % 4u] - bitcast<f32>(all.x);
        let probability = exp(logit) / bitcast<f32>(all.z);
        let logprob = logit - log(bitcast<f32>(all.z));
        token[0] = chosen;
        report[0] = vec4<u32>(chosen, bitcast<u32>(probability), all.w, bitcast<u32>(logprob));
    }
}

// Vector `i` of the logits without those that are no numbers or past the vocabulary.
fn possible(i: u32, found: vec4<f32>) -> vec4<f32> {
    let is_number = (bitcast<vec4<u32>>(found) & vec4(0x7f800000u)) != vec4(0x7f800000u);
    let is_token = 4u * i + vec4(0u, 1u, 2u, 3u) < vec4({{ vocabulary }}u);
    return select(vec4(NEVER), found, is_number & is_token);
}

// Changes a logit by an adjustment: the token, its bias, 1 if it is repeated, its count.
fn adjust(adjustment: vec4<u32>) {
    let id = adjustment.x;
    if id >= {{ vocabulary }}u {
        return;
    }
    let own = numbers[id / 4u][id % 4u];
    if own <= NEVER {
        return;
    }
    var logit = own + bitcast<f32>(adjustment.y);
    if adjustment.z == 1u {
        let penalty = settings.repetition_penalty;
        logit = select(logit * penalty, logit / penalty, logit > 0.0);
    }
    if adjustment.w > 0u {
        logit -= settings.frequency_penalty * f32(adjustment.w) + settings.presence_penalty;
    }
    numbers[id / 4u][id % 4u] = logit;
}

// Sum over all threads, and over the threads before this one.
struct Sums {
    all: vec4<f32>,
    before: vec4<f32>,
}

fn sums(own: vec4<f32>, thread: u32) -> Sums {
    // Others may still read what was shared before.
    workgroupBarrier();
    shared_sums[thread] = own;
    workgroupBarrier();
    var found = Sums(vec4(0.0), vec4(0.0));
    for (var i = 0u; i < THREADS; i += 1u) {
        if i == thread {
            found.before = found.all;
        }
        found.all += shared_sums[i];
    }
    return found;
}

// The largest number and its token, the first of equal ones.
fn likeliest(first: u32, end: u32, thread: u32) -> vec2<f32> {
    var best = vec2(NEVER, 0.0);
    for (var i = first; i < end; i += 1u) {
        let four = numbers[i];
        for (var lane = 0u; lane < 4u; lane += 1u) {
            if four[lane] > best.x {
                best = vec2(four[lane], f32(4u * i + lane));
            }
        }
    }
    workgroupBarrier();
    shared_sums[thread] = vec4(best, 0.0, 0.0);
    workgroupBarrier();
    best = shared_sums[0].xy;
    for (var i = 1u; i < THREADS; i += 1u) {
        if shared_sums[i].x > best.x {
            best = shared_sums[i].xy;
        }
    }
    return best;
}

// A pattern that is larger for larger numbers; 0 and -0 have the same.
fn pattern(number: vec4<f32>) -> vec4<u32> {
    let bits = bitcast<vec4<u32>>(select(number, vec4(0.0), number == vec4(0.0)));
    return bits ^ select(vec4(0x80000000u), vec4(0xffffffffu), (bits >> vec4(31u)) == vec4(1u));
}

fn sum_of(four: vec4<f32>, which: vec4<bool>) -> f32 {
    return dot(select(vec4(0.0), four, which), vec4(1.0));
}

// Amounts of four numbers: their weights, or one each.
fn amounts(four: vec4<f32>, weighed: bool) -> vec4<f32> {
    return select(vec4(1.0), max(four, vec4(0.0)), vec4(weighed));
}

// Keeps the fewest of the largest numbers whose amounts come to `enough`, of equal ones those of
// tokens with smaller ids, and replaces the others by `gone`.
fn keep(first: u32, end: u32, thread: u32, enough: f32, weighed: bool, gone: f32) {
    // The largest pattern such that the numbers that reach it are enough.
    var reached = 0u;
    for (var bit = 32u; bit > 0u; bit -= 2u) {
        let next = (vec3(1u, 2u, 3u) << vec3(bit - 2u)) | vec3(reached);
        var found = vec3(0.0);
        for (var i = first; i < end; i += 1u) {
            let four = numbers[i];
            let patterns = pattern(four);
            let amount = amounts(four, weighed);
            found += vec3(
                sum_of(amount, patterns >= vec4(next.x)),
                sum_of(amount, patterns >= vec4(next.y)),
                sum_of(amount, patterns >= vec4(next.z)),
            );
        }
        found = sums(vec4(found, 0.0), thread).all.xyz;
        for (var i = 0u; i < 3u; i += 1u) {
            if found[i] >= enough {
                reached = next[i];
            }
        }
    }

    var own = vec2(0.0);
    for (var i = first; i < end; i += 1u) {
        let four = numbers[i];
        let patterns = pattern(four);
        let above = sum_of(amounts(four, weighed), patterns > vec4(reached));
        own += vec2(above, sum_of(vec4(1.0), patterns == vec4(reached)));
    }
    let found = sums(vec4(own, 0.0, 0.0), thread);
    // Weights are not negative: their patterns are their bits but for the first.
    let each = select(1.0, bitcast<f32>(reached ^ 0x80000000u), weighed);
    // Where they amount to nothing, all may stay.
    var equal_kept = found.all.y;
    if each > 0.0 {
        equal_kept = max(1.0, ceil((enough - found.all.x) / each));
    }
    var equal_before = found.before.y;
    for (var i = first; i < end; i += 1u) {
        var four = numbers[i];
        let patterns = pattern(four);
        for (var lane = 0u; lane < 4u; lane += 1u) {
            var kept = patterns[lane] > reached;
            if patterns[lane] == reached {
                kept = equal_before < equal_kept;
                equal_before += 1.0;
            }
            if !kept {
                four[lane] = gone;
            }
        }
        numbers[i] = four;
    }
}

// Turns numbers into weights, of which the likeliest token's is 1.
fn weigh(first: u32, end: u32, largest: f32) {
    for (var i = first; i < end; i += 1u) {
        let four = numbers[i];
        let weights = exp((four - vec4(largest)) / vec4(settings.temperature));
        numbers[i] = select(vec4(CUT), weights, four > vec4(NEVER));
    }
}

// The share `top_p` of the sum of all weights that are left.
fn nucleus(first: u32, end: u32, thread: u32) -> f32 {
    var own = 0.0;
    for (var i = first; i < end; i += 1u) {
        own += sum_of(numbers[i], numbers[i] >= vec4(0.0));
    }
    return settings.top_p * sums(vec4(own), thread).all.x;
}

// Draws among the weights that min-p leaves; `best` if rounding leaves none.
fn drawn(first: u32, end: u32, thread: u32, best: u32) -> u32 {
    // Smaller weights can't be drawn, whatever min-p is.
    let least = max(settings.min_p, 1.2e-38);
    var own = 0.0;
    for (var i = first; i < end; i += 1u) {
        own += sum_of(numbers[i], numbers[i] >= vec4(least));
    }
    let found = sums(vec4(own), thread);
    let passed = settings.part * found.all.x;
    // Of the threads at whose end the sum passes the part the first one, and none twice.
    var chosen = best;
    let is_mine = own > 0.0 && found.before.x <= passed && found.before.x + own > passed;
    if is_mine {
        var sum = found.before.x;
        var searching = true;
        for (var i = first; i < end && searching; i += 1u) {
            let four = numbers[i];
            for (var lane = 0u; lane < 4u && searching; lane += 1u) {
                if four[lane] >= least {
                    sum += four[lane];
                    // The last of them stays, should rounding lose the sum.
                    chosen = 4u * i + lane;
                    searching = sum <= passed;
                }
            }
        }
    }
    workgroupBarrier();
    shared_sums[thread] = vec4(select(-1.0, f32(chosen), is_mine), 0.0, 0.0, 0.0);
    workgroupBarrier();
    var answer = f32(best);
    for (var i = THREADS; i > 0u; i -= 1u) {
        if shared_sums[i - 1u].x >= 0.0 {
            answer = shared_sums[i - 1u].x;
        }
    }
    return u32(answer);
}
