// Values of a quad's four lanes, a lane's own first, then its neighbours' along x, along y, across.
fn from_quad(own: f32) -> vec4<f32> {
    return vec4<f32>(own, quadSwapX(own), quadSwapY(own), quadSwapDiagonal(own));
}
