// The two scales of a group of 32 elements where the bytes of sixteen_scales.wgsl are signed.
fn scale_pair(group: u32) -> vec2<f32> {
    let late = upper_scales(group);
    let topmost = vec2<u32>(late * 256u, late) & vec2<u32>(0xff000000u);
    return 0.000000059604644775390625 * vec2<f32>(vec2<i32>(topmost));
}
