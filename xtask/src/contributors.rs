//! Contributors to a WebAssembly module's size, by the names it holds.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, Result};
use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};

/// A part of a module.
#[derive(Debug, PartialEq, Eq)]
pub struct Share {
    pub name: String,
    pub bytes: usize,
}

/// The parts of a module, the largest first.
pub struct Contributors {
    /// Functions summed by the crate that wrote them; generic code counts for its author, not for
    /// its user.
    pub crates: Vec<Share>,
    /// Functions, and the constant data as one.
    pub functions: Vec<Share>,
    /// Size of the module in bytes, without the sections that only tools read.
    pub total: usize,
}

const DATA: &str = "(constant data: strings, tables, shaders)";

/// Reads the `name` section of `module`; functions without a name count as `(unnamed)`.
pub fn of(module: &[u8]) -> Result<Contributors> {
    let mut imported = 0;
    let mut bodies = Vec::new();
    let mut data = 0;
    let mut for_tools = 0;
    let mut names: HashMap<u32, String> = HashMap::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.context("not a WebAssembly module")? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(length(body.range())),
            Payload::DataSection(section) => data = length(section.range()),
            Payload::CustomSection(section) => {
                for_tools += length(section.range());
                if let KnownCustom::Name(sections) = section.as_known() {
                    for section in sections {
                        if let Name::Function(functions) = section? {
                            for function in functions {
                                let function = function?;
                                names.insert(function.index, plain(function.name));
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }

    let mut functions = HashMap::new();
    let mut crates = HashMap::new();
    for (index, bytes) in (imported..).zip(bodies) {
        let name = names
            .remove(&index)
            .unwrap_or_else(|| "(unnamed)".to_owned());
        *crates
            .entry(
                crate_of(&name)
                    .unwrap_or("(no crate in the name)")
                    .to_owned(),
            )
            .or_insert(0) += bytes;
        *functions.entry(name).or_insert(0) += bytes;
    }
    for shares in [&mut functions, &mut crates] {
        shares.insert(DATA.to_owned(), data);
    }
    Ok(Contributors {
        crates: largest_first(crates),
        functions: largest_first(functions),
        total: module.len() - for_tools,
    })
}

fn length(range: Range<u64>) -> usize {
    // A range within a module that is in memory.
    (range.end - range.start) as usize
}

fn largest_first(shares: HashMap<String, usize>) -> Vec<Share> {
    let mut shares: Vec<Share> = shares
        .into_iter()
        .map(|(name, bytes)| Share { name, bytes })
        .collect();
    shares.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    shares
}

/// A symbol as its author wrote it, without the hash that distinguishes instances.
fn plain(symbol: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(symbol));
    match name.rsplit_once("::h") {
        Some((path, hash))
            if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            path.to_owned()
        }
        _ => name,
    }
}

/// The crate that a function's code comes from, as far as its name shows.
fn crate_of(name: &str) -> Option<&str> {
    if let Some(dropped) = name.strip_prefix("core::ptr::drop_in_place<") {
        return crate_of(dropped).or(Some("core"));
    }
    let mut rest = name;
    loop {
        let start = rest.trim_start_matches(['<', '&', '(', '[', '{', ' ']);
        let start = ["*const ", "*mut ", "mut ", "dyn ", "impl "]
            .iter()
            .find_map(|word| start.strip_prefix(word))
            .unwrap_or(start);
        if start.len() == rest.len() {
            break;
        }
        rest = start;
    }
    let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
    if rest[end..].starts_with("::") {
        return Some(&rest[..end]);
    }
    // The type belongs to the language: the trait decides.
    let (_, of_trait) = rest.split_once(" as ")?;
    crate_of(of_trait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_crate() {
        let named = [
            (
                "burn_tensor::tensor::api::base::reshape",
                Some("burn_tensor"),
            ),
            (
                "<naga::front::wgsl::Parser as core::fmt::Debug>::fmt",
                Some("naga"),
            ),
            (
                "<&mut serde_json::ser::Serializer<W> as serde::Serializer>::serialize_str",
                Some("serde_json"),
            ),
            (
                "core::ptr::drop_in_place<alloc::vec::Vec<u8>>",
                Some("alloc"),
            ),
            ("core::ptr::drop_in_place<[u8]>", Some("core")),
            ("<[u8] as wgpu::Bytes>::len", Some("wgpu")),
            ("<dyn core::any::Any>::type_id", Some("core")),
            ("memcpy", None),
            ("", None),
        ];
        for (name, krate) in named {
            assert_eq!(crate_of(name), krate, "{name}");
        }
    }

    #[test]
    fn hashes_are_left_out() {
        assert_eq!(
            plain("_ZN4core3fmt5write17h0123456789abcdefE"),
            "core::fmt::write"
        );
        assert_eq!(
            plain("core::fmt::write::h0123456789abcdef"),
            "core::fmt::write"
        );
        assert_eq!(plain("a::hash"), "a::hash");
    }

    #[test]
    fn a_modules_functions_are_weighed() {
        // (module (import "" "" (func)) (func) (func nop)) with the names "used" for the import,
        // then "a::f", "b::g".
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        let sections: [(u8, &[u8]); 4] = [
            (1, b"\x01\x60\0\0"),
            (2, b"\x01\0\0\0\0"),
            (3, b"\x02\0\0"),
            (10, b"\x02\x02\0\x0b\x03\0\x01\x0b"),
        ];
        for (id, content) in sections {
            module.extend([id, content.len() as u8]);
            module.extend(content);
        }
        let bare = module.len();
        let functions = b"\x03\0\x04used\x01\x04a::f\x02\x04b::g";
        let mut custom = b"\x04name\x01".to_vec();
        custom.push(functions.len() as u8);
        custom.extend(functions);
        module.extend([0, custom.len() as u8]);
        module.extend(custom);

        let found = of(&module).expect("it is a module");
        let share = |name: &str, bytes| Share {
            name: name.to_owned(),
            bytes,
        };
        assert_eq!(
            found.functions,
            [share("b::g", 3), share("a::f", 2), share(DATA, 0)]
        );
        assert_eq!(found.crates, [share("b", 3), share("a", 2), share(DATA, 0)]);
        assert!(
            (bare..bare + 10).contains(&found.total),
            "{} of {bare}",
            found.total
        );
        assert!(of(b"not a module").is_err());
    }
}
