// What the four lanes of a quad have, a lane's own first: that of its neighbours along x, along y and across.
fn from_quad(own: f32) -> vec4<f32> {
    return vec4<f32>(own, quadSwapX(own), quadSwapY(own), quadSwapDiagonal(own));
}
