// BF16: `quants` has the elements' bits, eight per vector, each the upper half of an f32.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;

// By a product: adapters on a CPU shift lane by lane.
fn halves(first: u32, second: u32) -> vec4<f32> {
    let upper = 0xffff0000u;
    let pairs = vec4<u32>(65536u * first, first & upper, 65536u * second, second & upper);
    return bitcast<vec4<f32>>(pairs);
}

fn group_weights(group: u32) -> array<vec4<f32>, 8> {
    let p = quants[4u * group];
    let q = quants[4u * group + 1u];
    let r = quants[4u * group + 2u];
    let s = quants[4u * group + 3u];
    return array<vec4<f32>, 8>(
        halves(p.x, p.y), halves(p.z, p.w), halves(q.x, q.y), halves(q.z, q.w),
        halves(r.x, r.y), halves(r.z, r.w), halves(s.x, s.y), halves(s.z, s.w),
    );
}
