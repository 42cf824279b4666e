//! The bits of 32 elements in words, in an order in which shaders multiply them where they are.
//! `shaders/blocks/field_quads.wgsl` is the other side.
//!
//! Byte b of word j has two fields: of element 4j + b, early, and of element 16 + 4j + b, late. The
//! words have four or two bits of each field. All other bits are in words of their own.
//! Those are in places from which a multiplication by a power of two brings them to the field's.
//! Adapters on a CPU shift lane by lane, and multiply all lanes at once.

/// Elements 4j to 4j + 3, each a byte of word j, early and late.
fn words(quants: &[u8; 32]) -> ([u32; 4], [u32; 4]) {
    let word = |j: usize| {
        let at = 4 * j;
        u32::from_le_bytes([quants[at], quants[at + 1], quants[at + 2], quants[at + 3]])
    };
    (
        std::array::from_fn(word),
        std::array::from_fn(|j| word(4 + j)),
    )
}

/// Numbers of 4 bits: low nibbles are early, high ones late.
pub(super) fn four_bits(quants: &[u8; 32]) -> [u32; 4] {
    let (early, late) = words(quants);
    std::array::from_fn(|j| early[j] | late[j] << 4)
}

/// Numbers of 5 bits: nibbles, and a word of fifth bits. Of an early element that is the uppermost
/// bit, of a late one the lowest.
pub(super) fn five_bits(quants: &[u8; 32]) -> ([u32; 4], u32) {
    let (early, late) = words(quants);
    let nibbles = |j: usize| early[j] & 0x0f0f_0f0f | (late[j] & 0x1e1e_1e1e) << 3;
    let fifth =
        |j: usize| (early[j] & 0x1010_1010) >> j | (late[j] & 0x0101_0101) << [0, 5, 6, 7][j];
    (
        std::array::from_fn(nibbles),
        fifth(0) | fifth(1) | fifth(2) | fifth(3),
    )
}

/// Numbers of 6 bits: nibbles, and two words of two more bits. Of an early element those are the
/// uppermost, of a late one the lowest.
pub(super) fn six_bits(quants: &[u8; 32]) -> ([u32; 4], [u32; 2]) {
    let (early, late) = words(quants);
    let nibbles = |j: usize| early[j] & 0x0f0f_0f0f | (late[j] & 0x3c3c_3c3c) << 2;
    let even = |j: usize| early[j] & 0x3030_3030 | late[j] & 0x0303_0303;
    let odd = |j: usize| (early[j] & 0x3030_3030) >> 2 | (late[j] & 0x0303_0303) << 6;
    (
        std::array::from_fn(nibbles),
        [even(0) | odd(1), even(2) | odd(3)],
    )
}

/// Numbers of 2 bits: word j's fields are in word j / 2, those of an odd j two bits up.
pub(super) fn two_bits(quants: &[u8; 32]) -> [u32; 2] {
    let (early, late) = words(quants);
    let word = |j: usize| early[j] | late[j] << 4;
    [word(0) | word(1) << 2, word(2) | word(3) << 2]
}

/// Numbers of 3 bits: the lower two, and a word of third bits.
pub(super) fn three_bits(quants: &[u8; 32]) -> ([u32; 2], u32) {
    let third = quants.map(|quant| quant >> 2);
    let (early, late) = words(&third);
    let third = |j: usize| (early[j] | late[j] << 4) << [2, 1, 0, 3][j];
    (
        two_bits(&quants.map(|quant| quant & 3)),
        third(0) | third(1) | third(2) | third(3),
    )
}

/// Appends words as bytes.
pub(super) fn append(words: &[u32], into: &mut Vec<u8>) {
    into.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}
