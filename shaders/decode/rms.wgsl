// RMSNorm's divisor (Zhang and Sennrich 2019, eq. 4). Whoever wrote the hidden state left it multiplied by the norm's
// weight, too, and a sum of squares for each 32 elements, so that no kernel has to go over it once more.
fn rms_scale() -> f32 {
    var squares = 0.0;
    var part = 0u;
    // As in product.wgsl, left at its end.
    loop {
        squares += activations[{{ at.squares }}u + part].x;
        continuing {
            part += 1u;
            break if part >= {{ width // 32 }}u;
        }
    }
    return inverseSqrt(squares / {{ width }}.0 + {{ epsilon }});
}
