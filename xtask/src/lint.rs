//! Lints as part of a build.

use std::process::Command;

/// `-D warnings`, as `cargo clippy` hands on what comes after its `--`. No compiler says if clippy
/// stops to understand it, but a test here.
const DENY_WARNINGS: &str = "-D__CLIPPY_HACKERY__warnings";

/// Lets `cargo` compile the workspace's own packages with clippy, so that lints, programs and tests
/// are one build. After `cargo clippy`, which checks all dependencies, a build would compile them
/// once more.
pub fn add(cargo: &mut Command) {
    cargo
        .env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver")
        .env("CLIPPY_ARGS", DENY_WARNINGS);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::Result;

    use super::*;
    use crate::child;

    /// Clippy's message about a comparison with `true`, which is its lint and not the compiler's.
    fn linted_comparison(arguments: &str) -> Result<String> {
        let name = format!("kvscope-lint-{}-{}.rs", std::process::id(), arguments.len());
        let source = std::env::temp_dir().join(name);
        fs::write(&source, "pub fn same(it: bool) -> bool { it == true }\n")?;
        let mut clippy = Command::new("clippy-driver");
        clippy
            .args(["--crate-type", "lib", "--crate-name", "comparison"])
            .args(["--emit", "metadata", "-o"])
            .arg(source.with_extension("rmeta"))
            .arg(&source)
            .env("CLIPPY_ARGS", arguments);
        let said = child::output(&mut clippy);
        for file in [source.with_extension("rmeta"), source] {
            // A failed compilation leaves none of the first.
            let _ = fs::remove_file(file);
        }
        said
    }

    #[test]
    fn a_lint_s_warning_fails_the_build() {
        linted_comparison("").expect("a warning is no error");
        let error = linted_comparison(DENY_WARNINGS).expect_err("warnings are denied");
        let said = format!("{error:#}");
        assert!(
            said.contains("bool_comparison") || said.contains("bool-comparison"),
            "{said}"
        );
    }
}
