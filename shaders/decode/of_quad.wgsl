// Values of a quad's four lanes, in their order, for all of them.
fn of_quad(own: f32) -> vec4<f32> {
    return vec4<f32>(
        quadBroadcast(own, 0u),
        quadBroadcast(own, 1u),
        quadBroadcast(own, 2u),
        quadBroadcast(own, 3u),
    );
}
