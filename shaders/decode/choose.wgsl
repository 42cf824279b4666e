// The likeliest token: the next step begins with it, and the host reads it from the report, whose
// layout src/fused/report.rs describes.

@group(0) @binding(_) var<storage, read> parts: array<vec4<u32>>;
@group(0) @binding(_) var<storage, read_write> token: array<u32>;
@group(0) @binding(_) var<storage, read_write> report: array<vec4<u32>>;

@compute @workgroup_size(1)
fn main() {
    var all = parts[0];
    for (var part = 1u; part < {{ parts }}u; part += 1u) {
        all = both(all, parts[part]);
    }
    token[0] = all.y;
    let total = bitcast<f32>(all.z);
    report[0] = vec4<u32>(all.y, bitcast<u32>(1.0 / total), all.w, bitcast<u32>(-log(total)));
}
