// What the shaders `quad_*.wgsl` of attention share.

struct Shape {
    // Query heads of a KV head times queries.
    rows: u32,
    queries: u32,
    // Slots in use, and those that a head has.
    slots: u32,
    capacity: u32,
    // The position of the first query.
    first: u32,
    // The first of the rows that there are logits of, and how many there are.
    start: u32,
    count: u32,
    // Tiles of slots.
    tiles: u32,
    // Workgroups on a line of the grid.
    line: u32,
    heads: u32,
}

const LANES: u32 = 4u;
const DIM: u32 = {{ dim }}u;
// Slots whose keys, or values, a workgroup has at hand: a row that sees none of them passes over all of them.
const TILE: u32 = {{ tile }}u;
// Each takes every so many-th tile's values, so that there is work for several threads.
const SPLITS: u32 = {{ splits }}u;
const HIDDEN: f32 = -1.0e30;
