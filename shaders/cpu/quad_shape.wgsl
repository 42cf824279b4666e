// The uniform and constants of the attention shaders `quad_*.wgsl`.

struct Shape {
    // Query heads per KV head, times queries.
    rows: u32,
    queries: u32,
    // Slots in use, and slots per head.
    slots: u32,
    capacity: u32,
    // The position of the first query.
    first: u32,
    // The first row that has logits, and their number.
    start: u32,
    count: u32,
    // Tiles of slots.
    tiles: u32,
    // Workgroups per line of the grid.
    line: u32,
    heads: u32,
    // Newest positions that a query sees.
    window: i32,
}

const LANES: u32 = 4u;
const DIM: u32 = {{ dim }}u;
// Slots whose keys or values a workgroup holds; a row that sees none of them skips them all.
const TILE: u32 = {{ tile }}u;
// Each takes every SPLITS-th tile, so that several threads have work.
const SPLITS: u32 = {{ splits }}u;
const HIDDEN: f32 = -1.0e30;
