//! Abilities of a device's shaders on which the fastest way of computing depends.

/// What a device's shaders may do, as far as ways of sharing out work depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShaderAbilities {
    /// Threads of the smallest subgroup; 0 where there are no subgroup operations.
    pub subgroup: usize,
    /// Whether there are products of four packed integers (WGSL's `packed_4x8_integer_dot_product`).
    pub integer_products: bool,
}

impl ShaderAbilities {
    /// Whether four neighbours can hand on what they have by quad operations.
    pub fn has_quads(self) -> bool {
        self.subgroup >= 4
    }
}
