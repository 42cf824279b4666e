// Elements that are scale * byte + offset. The format's own text has a group's bytes, which are
// signed, in `group_bytes`; its two scales and two offsets in `group_scales`.

// A group's bytes, four per word, in the order of its elements.
struct GroupBytes {
    early: vec4<u32>,
    late: vec4<u32>,
}

// Four bytes times 2²⁴: adapters on a CPU shift lane by lane, but multiply all at once.
fn raised_bytes(word: u32) -> vec4<f32> {
    let raised = word * vec4<u32>(0x01000000u, 0x00010000u, 0x00000100u, 1u);
    return vec4<f32>(vec4<i32>(raised & vec4<u32>(0xff000000u)));
}

fn group_weights(group: u32) -> array<vec4<f32>, 8> {
    let q = group_bytes(group);
    // Scales of elements 0 to 15 and 16 to 31, then their offsets.
    let s = group_scales(group, group_factors(group));
    let scale = 0.000000059604644775390625 * s.xy;
    let p = q.early;
    let r = q.late;
    return array<vec4<f32>, 8>(
        scale.x * raised_bytes(p.x) + s.z, scale.x * raised_bytes(p.y) + s.z,
        scale.x * raised_bytes(p.z) + s.z, scale.x * raised_bytes(p.w) + s.z,
        scale.y * raised_bytes(r.x) + s.w, scale.y * raised_bytes(r.y) + s.w,
        scale.y * raised_bytes(r.z) + s.w, scale.y * raised_bytes(r.w) + s.w,
    );
}
