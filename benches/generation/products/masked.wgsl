// Nibbles left in place, and scaled to their value afterwards.
fn nibbles(word: u32) -> vec4<f32> {
    let standing = vec4<u32>(word) & vec4<u32>(0x0000000fu, 0x00000f00u, 0x000f0000u, 0x0f000000u);
    return vec4<f32>(vec4<i32>(standing))
        * vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);
}
