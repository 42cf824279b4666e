// A group's input in fixed point of 16 bits, as bytes for products of four at once. An element is
// scale * (256 * upper + lower), both signed. The error is half of `scale` and some rounding in
// f32. It is less than a 64,000th of the largest of the 32.

struct Fixed {
    scale: f32,
    // Sums of elements 0 to 15 and 16 to 31, without the scale: less than 2^24, so exact in f32.
    totals: vec2<f32>,
    upper0: vec4<u32>,
    upper1: vec4<u32>,
    lower0: vec4<u32>,
    lower1: vec4<u32>,
}

// 127 * 256 + 127: the largest magnitude of two signed bytes.
const REACH: f32 = 32639.0;

fn fixed_point(
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
) -> Fixed {
    let early = max(max(abs(x0), abs(x1)), max(abs(x2), abs(x3)));
    let late = max(max(abs(x4), abs(x5)), max(abs(x6), abs(x7)));
    let most = max(early, late);
    // Avoids a division by zero for an input of zeros.
    let largest = max(max(max(most.x, most.y), max(most.z, most.w)), 1.0e-30);
    let by = REACH / largest;
    let i0 = vec4<i32>(round(x0 * by));
    let i1 = vec4<i32>(round(x1 * by));
    let i2 = vec4<i32>(round(x2 * by));
    let i3 = vec4<i32>(round(x3 * by));
    let i4 = vec4<i32>(round(x4 * by));
    let i5 = vec4<i32>(round(x5 * by));
    let i6 = vec4<i32>(round(x6 * by));
    let i7 = vec4<i32>(round(x7 * by));
    let first = (i0 + i1) + (i2 + i3);
    let second = (i4 + i5) + (i6 + i7);
    return Fixed(
        largest / REACH,
        vec2<f32>(vec2<i32>(
            (first.x + first.y) + (first.z + first.w),
            (second.x + second.y) + (second.z + second.w),
        )),
        vec4<u32>(upper(i0), upper(i1), upper(i2), upper(i3)),
        vec4<u32>(upper(i4), upper(i5), upper(i6), upper(i7)),
        vec4<u32>(pack4xI8(i0), pack4xI8(i1), pack4xI8(i2), pack4xI8(i3)),
        vec4<u32>(pack4xI8(i4), pack4xI8(i5), pack4xI8(i6), pack4xI8(i7)),
    );
}

// Upper bytes that make up for reading the packed lower ones as signed.
fn upper(x: vec4<i32>) -> u32 {
    return pack4xI8((x + vec4<i32>(128)) >> vec4<u32>(8u));
}

// Sixteen products.
fn packed_dot(a: vec4<u32>, b: vec4<u32>) -> i32 {
    return (dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y))
        + (dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w));
}

// Sum of all products of a group's bytes, exact: each is less than 2^22, and there are 32.
fn packed_product(early: vec4<u32>, late: vec4<u32>, x: Fixed) -> f32 {
    let uppers = packed_dot(early, x.upper0) + packed_dot(late, x.upper1);
    let lowers = packed_dot(early, x.lower0) + packed_dot(late, x.lower1);
    return f32(256 * uppers + lowers);
}
