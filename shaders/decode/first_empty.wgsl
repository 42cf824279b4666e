// First empty slot of each KV head: the first token after a prompt goes there.

@group(0) @binding(_) var<storage, read> positions: array<i32>;
@group(0) @binding(_) var<storage, read_write> next: array<u32>;
@group(0) @binding(_) var<uniform> place: vec4<u32>;

const THREADS: u32 = {{ threads }}u;

var<workgroup> firsts: array<u32, {{ threads }}>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let kv = workgroup.x;
    let capacity = place.y;
    var first = {{ nothing }}u;
    for (var slot = thread; slot < capacity; slot += THREADS) {
        if positions[kv * capacity + slot] < 0 {
            first = min(first, slot);
        }
    }
    firsts[thread] = first;
    workgroupBarrier();
    if thread == 0u {
        for (var i = 1u; i < THREADS; i += 1u) {
            first = min(first, firsts[i]);
        }
        next[place.x * {{ kv_heads }}u + kv] = first;
    }
}
