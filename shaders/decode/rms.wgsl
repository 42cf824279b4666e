// RMSNorm's divisor (Zhang and Sennrich 2019, eq. 4). The kernel that wrote the hidden state also
// stored it times the norm's weight. It also stored sums of squares per 32 elements. The norm
// therefore needs no pass of its own.
fn rms_scale() -> f32 {
    var squares = 0.0;
    var part = 0u;
    // Exits at its end, as in product.wgsl.
    loop {
        squares += activations[{{ at.squares }}u + part].x;
        continuing {
            part += 1u;
            break if part >= {{ width // 32 }}u;
        }
    }
    return inverseSqrt(squares / {{ width }}.0 + {{ epsilon }});
}
