// The levels of IQ4_NL and IQ4_XS, which lie closer together around 0: -127, -104, -83, -65, -49,
// -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113. They are chosen bit by bit, four of them at once
// in a word: adapters on a CPU look nothing up faster.

// The bytes of `even` where the bytes of `odd_mask` are 0, else those of `odd`.
fn chosen(even: vec4<u32>, odd: vec4<u32>, odd_mask: vec4<u32>) -> vec4<u32> {
    return even ^ ((even ^ odd) & odd_mask);
}

// Of each byte of `q`: 255 if its bit `bit` is set, else 0.
fn mask_of(q: vec4<u32>, bit: u32) -> vec4<u32> {
    return ((q >> vec4<u32>(bit)) & vec4<u32>(0x01010101u)) * vec4<u32>(255u);
}

// Levels of the low nibbles of all bytes, as signed bytes.
fn levels_of(q: vec4<u32>) -> vec4<u32> {
    let one = mask_of(q, 0u);
    let two = mask_of(q, 1u);
    let four = mask_of(q, 2u);
    let l0 = vec4<u32>(0x81818181u) ^ (one & vec4<u32>(0x19191919u));
    let l1 = vec4<u32>(0xadadadadu) ^ (one & vec4<u32>(0x12121212u));
    let l2 = vec4<u32>(0xcfcfcfcfu) ^ (one & vec4<u32>(0x12121212u));
    let l3 = vec4<u32>(0xeaeaeaeau) ^ (one & vec4<u32>(0x1c1c1c1cu));
    let l4 = vec4<u32>(0x01010101u) ^ (one & vec4<u32>(0x0c0c0c0cu));
    let l5 = vec4<u32>(0x19191919u) ^ (one & vec4<u32>(0x3f3f3f3fu));
    let l6 = vec4<u32>(0x35353535u) ^ (one & vec4<u32>(0x70707070u));
    let l7 = vec4<u32>(0x59595959u) ^ (one & vec4<u32>(0x28282828u));
    let negative = chosen(chosen(l0, l1, two), chosen(l2, l3, two), four);
    let positive = chosen(chosen(l4, l5, two), chosen(l6, l7, two), four);
    return chosen(negative, positive, mask_of(q, 3u));
}

// A group of 32 elements, in the layout of Q4_0.
fn group_bytes(group: u32) -> GroupBytes {
    let q = quants[group];
    return GroupBytes(levels_of(q), levels_of(q >> vec4<u32>(4u)));
}
