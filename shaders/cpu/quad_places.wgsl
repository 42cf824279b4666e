// Which rows see what of a tile of slots, by the positions that the slots hold.

const NOWHERE: i32 = 0x7fffffff;

// The position that a slot holds, NOWHERE if it holds none.
fn place_of(kv: u32, slot: u32) -> i32 {
    let held = positions[kv * shape.capacity + min(slot, shape.slots - 1u)];
    return select(NOWHERE, held, slot < shape.slots && held >= 0);
}

// The first position that a tile holds.
fn first_position(kv: u32, tile: u32, corner: u32) -> i32 {
    var lowest = NOWHERE;
    for (var slot = corner; slot < TILE; slot += 4u) {
        lowest = min(lowest, place_of(kv, tile * TILE + slot));
    }
    lowest = min(lowest, quadSwapX(lowest));
    return min(lowest, quadSwapY(lowest));
}

// How many of the queries, from the first on, see nothing of a tile that holds no position before `lowest`.
fn blind(lowest: i32) -> u32 {
    return u32(clamp(lowest - i32(shape.first), 0, i32(shape.queries)));
}

// A row and the query that it is of.
struct Row {
    row: u32,
    query: u32,
}

// The first row that sees something of a tile to which the first `hidden` queries of each head are blind, among `row` and those
// after it. Rows are passed over by this and not by a branch around what is done for a row, since such adapters go through both
// sides of a branch, nor by a loop around it, through which they go once more than they are asked to.
fn seeing(row: u32, query: u32, hidden: u32) -> Row {
    let wrapped = select(query, 0u, query == shape.queries);
    let skipped = hidden - min(wrapped, hidden);
    return Row(select(row + skipped, shape.count, hidden == shape.queries), wrapped + skipped);
}
