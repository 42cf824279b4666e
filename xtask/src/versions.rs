//! The versions this repository is built with, in one place.

/// A command-line tool that cargo can build and install.
pub struct Tool {
    /// Name of its crate, on crates.io.
    pub package: &'static str,
    /// Program that prints `NAME VERSION` for `--version`.
    pub program: &'static str,
    pub version: &'static str,
    /// Purpose of it, as the end of "needed because ...".
    pub why: &'static str,
    /// Keeps the tool's default features; left out if unused here and slow to build.
    pub default_features: bool,
    /// rustc's optimisation level, for it and its dependencies.
    pub opt_level: &'static str,
}

/// Reads and writes the glue between WebAssembly and JavaScript, and runs tests in a browser. The
/// crate's `wasm-bindgen` dependency must be this very release.
pub const WASM_BINDGEN: Tool = Tool {
    package: "wasm-bindgen-cli",
    program: "wasm-bindgen",
    version: "0.2.130",
    why: "it writes the JavaScript and the types around the WebAssembly module",
    default_features: true,
    // It processes a module of many megabytes each time.
    opt_level: "1",
};

pub const CARGO_DENY: Tool = Tool {
    package: "cargo-deny",
    program: "cargo-deny",
    version: "0.20.2",
    why: "it checks the dependencies' licences, sources and advisories",
    default_features: false,
    opt_level: "0",
};

/// llama.cpp's Python package, which reads and writes its files.
pub const GGUF: &str = "gguf==0.19.0";

/// llama.cpp for Node.js, which the real models are held to.
pub const NODE_LLAMA_CPP: &str = "node-llama-cpp@3.22.1";

/// The least Node.js that the page's bundler runs on.
pub const NODE: [u32; 2] = [20, 19];

/// The numbers of the first dotted version in `text`: `[156, 0, 8078, 79]` of `Chromium
/// 156.0.8078.79 built on`.
pub fn first_version(text: &str) -> Option<Vec<u32>> {
    text.split_whitespace().find_map(|word| {
        let word = word.strip_prefix('v').unwrap_or(word);
        let numbers: Option<Vec<u32>> = word.split('.').map(|part| part.parse().ok()).collect();
        numbers.filter(|numbers| numbers.len() > 1)
    })
}

#[cfg(test)]
mod tests {
    use super::first_version;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        let printed = [
            (
                "Chromium 156.0.8078.79 built on Debian GNU/Linux 12 (bookworm)",
                vec![156, 0, 8078, 79],
            ),
            ("Google Chrome 141.0.7390.54 ", vec![141, 0, 7390, 54]),
            (
                "ChromeDriver 156.0.8078.79 (a21ce95c24ce-refs/branch-heads/8078@{#1704})",
                vec![156, 0, 8078, 79],
            ),
            ("v20.20.0\n", vec![20, 20, 0]),
            ("wasm-bindgen 0.2.130", vec![0, 2, 130]),
        ];
        for (text, version) in printed {
            assert_eq!(first_version(text), Some(version), "{text}");
        }
    }

    #[test]
    fn text_without_a_version_has_none() {
        for text in ["", "chromium", "12", "1.2.x", "no such file."] {
            assert_eq!(first_version(text), None, "{text}");
        }
    }
}
