// F16: `quants` has the elements' bits, eight per vector.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;

fn halves(first: u32, second: u32) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(first), unpack2x16float(second));
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
