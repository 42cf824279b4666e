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
    // Tiles of slots, whole chunks.
    tiles: u32,
    // Workgroups on a line of the grid.
    line: u32,
    heads: u32,
}

const LANES: u32 = 4u;
const DIM: u32 = {{ dim }}u;
// Slots of a workgroup's logits, and those that are passed over together by a row that sees none of them.
const TILE: u32 = {{ tile }}u;
const CHUNK: u32 = {{ chunk }}u;
const HIDDEN: f32 = -1.0e30;
const NOWHERE: i32 = 0x7fffffff;

// The position that a slot holds, NOWHERE if it holds none.
fn place_of(kv: u32, slot: u32) -> i32 {
    let held = positions[kv * shape.capacity + min(slot, shape.slots - 1u)];
    return select(NOWHERE, held, slot < shape.slots && held >= 0);
}

// The f16 of a word that has a place's parity.
fn half(word: u32, at: u32) -> f32 {
    let pair = unpack2x16float(word);
    return select(pair.x, pair.y, at % 2u == 1u);
}

// The first position that a chunk of slots holds.
fn first_position(kv: u32, chunk: u32, corner: u32) -> i32 {
    var lowest = NOWHERE;
    for (var slot = corner; slot < CHUNK; slot += 4u) {
        lowest = min(lowest, place_of(kv, chunk * CHUNK + slot));
    }
    lowest = min(lowest, quadSwapX(lowest));
    return min(lowest, quadSwapY(lowest));
}
