// Elements that are scale * field + offset. The format's own text has a group's words in
// `group_fields`. Byte b of word j has the fields of two elements: of 4j + b where `EARLY` masks
// it, and of 16 + 4j + b where `LATE` does, `LATE_SHIFT` bits up. `group_scales` is as in
// byte_weights.wgsl.

struct Fields {
    early: vec4<u32>,
    late: vec4<u32>,
}

fn group_bytes(group: u32) -> GroupBytes {
    let q = group_fields(group);
    let bytes = vec4<u32>(0x01010101u);
    return GroupBytes(
        q.early & (EARLY * bytes),
        (q.late >> vec4<u32>(LATE_SHIFT)) & ((LATE >> LATE_SHIFT) * bytes),
    );
}
