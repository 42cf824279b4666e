// Factor of RMSNorm (Zhang and Sennrich 2019, eq. 4). The kernel that wrote the hidden state also
// stored it times the norm's weight, and a sum of squares per 32 elements: no pass of its own.
fn rms_scale() -> f32 {
    var squares = 0.0;
    var part = 0u;
    // As in product.wgsl, left at its end.
    loop {
        squares += activations[{{ at.squares }}u + part].x;
        continuing {
            part += 1u;
            break if part >= {{ square_sums }}u;
        }
    }
    return inverseSqrt(squares / {{ width }}.0 + {{ epsilon }});
}
