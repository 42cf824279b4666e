// The fields of Q2_K and TQ2_0: two bits alone, see two_bits.wgsl. Half a vector of `quants` is a
// group's.

const EARLY: u32 = 0x03u;
const LATE: u32 = 0x30u;
const LATE_SHIFT: u32 = 4u;

fn group_fields(group: u32) -> Fields {
    let q = two_bits(group / 2u, group);
    return Fields(q, q);
}
