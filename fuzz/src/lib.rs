//! The readers of model files without the rest of kvscope: the fuzzer's flags would need another
//! build of burn.

#[path = "../../src/formats/mod.rs"]
#[allow(
    unused_imports,
    dead_code,
    reason = "some of it is there for the rest of kvscope"
)]
pub mod formats;

#[path = "../../src/quoted.rs"]
mod quoted;

/// Shaders of formats, left out: readers run none.
mod shaders {
    macro_rules! shader {
        ($($path:tt)+) => {
            ""
        };
    }
    pub(crate) use shader;
}
