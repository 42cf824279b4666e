// Merges two parts of the logits: the largest, its token (the first of equal ones), the sum of
// exponentials, the number of invalid logits.
fn both(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    if b.y == {{ nothing }}u {
        return vec4<u32>(a.xyz, a.w + b.w);
    }
    if a.y == {{ nothing }}u {
        return vec4<u32>(b.xyz, a.w + b.w);
    }
    let x = bitcast<f32>(a.x);
    let y = bitcast<f32>(b.x);
    let largest = max(x, y);
    let sum = bitcast<f32>(a.z) * exp(x - largest) + bitcast<f32>(b.z) * exp(y - largest);
    let second = y > x || (y == x && b.y < a.y);
    return vec4<u32>(bitcast<u32>(largest), select(a.y, b.y, second), bitcast<u32>(sum), a.w + b.w);
}
