// The fields of Q5_0, Q5_1 and Q5_K: nibbles `q`, and a word of fifth bits. Of an early element
// that is the uppermost bit, of a late one the lowest, so that both are next to their nibble.
// src/formats/blocks/groups.rs puts them where multiplications bring them there.

const EARLY: u32 = 0x1fu;
const LATE: u32 = 0xf8u;
const LATE_SHIFT: u32 = 3u;

fn five_bits(q: vec4<u32>, fifth: u32) -> Fields {
    let upper = vec4<u32>(fifth) * vec4<u32>(1u, 2u, 4u, 8u);
    let rest = fifth >> 4u;
    let lowest = vec4<u32>(fifth, rest, rest, rest) * vec4<u32>(8u, 4u, 2u, 1u);
    return Fields(
        (q & vec4<u32>(0x0f0f0f0fu)) | (upper & vec4<u32>(0x10101010u)),
        (q & vec4<u32>(0xf0f0f0f0u)) | (lowest & vec4<u32>(0x08080808u)),
    );
}
