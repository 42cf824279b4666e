// The rows that see a tile of slots, by the positions that the slots hold.

const NOWHERE: i32 = 0x7fffffff;

// The position in a slot, NOWHERE if it is empty.
fn place_of(kv: u32, slot: u32) -> i32 {
    let held = positions[kv * shape.capacity + min(slot, shape.slots - 1u)];
    return select(NOWHERE, held, slot < shape.slots && held >= 0);
}

// The first position in a tile.
fn first_position(kv: u32, tile: u32, corner: u32) -> i32 {
    var lowest = NOWHERE;
    for (var slot = corner; slot < TILE; slot += 4u) {
        lowest = min(lowest, place_of(kv, tile * TILE + slot));
    }
    lowest = min(lowest, quadSwapX(lowest));
    return min(lowest, quadSwapY(lowest));
}

// The number of first queries that see nothing of a tile whose first position is `lowest`.
fn blind(lowest: i32) -> u32 {
    return u32(clamp(lowest - i32(shape.first), 0, i32(shape.queries)));
}

// A row and its query.
struct Row {
    row: u32,
    query: u32,
}

// The first row from `row` on that sees something of a tile from which the first `hidden` queries
// of each head are hidden. This skips rows without a branch or a loop: adapters on a CPU go through
// both sides of a branch, and through a loop once more than asked.
fn seeing(row: u32, query: u32, hidden: u32) -> Row {
    let wrapped = select(query, 0u, query == shape.queries);
    let skipped = hidden - min(wrapped, hidden);
    return Row(select(row + skipped, shape.count, hidden == shape.queries), wrapped + skipped);
}
