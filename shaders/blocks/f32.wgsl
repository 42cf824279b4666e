// F32: `quants` has the elements' bits, four per vector.

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;

fn group_weights(group: u32) -> array<vec4<f32>, 8> {
    let first = 8u * group;
    return array<vec4<f32>, 8>(
        bitcast<vec4<f32>>(quants[first]), bitcast<vec4<f32>>(quants[first + 1u]),
        bitcast<vec4<f32>>(quants[first + 2u]), bitcast<vec4<f32>>(quants[first + 3u]),
        bitcast<vec4<f32>>(quants[first + 4u]), bitcast<vec4<f32>>(quants[first + 5u]),
        bitcast<vec4<f32>>(quants[first + 6u]), bitcast<vec4<f32>>(quants[first + 7u]),
    );
}
