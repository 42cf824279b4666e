//! Bindings by name. A template declares `@group(0) @binding(_) var<...> keys: ...`; the number is
//! chosen when the template is rendered, and Rust binds a buffer to `"keys"`.
//!
//! Texts that burn's launcher shares, such as `shaders/blocks`, keep the numbers that they have.

use crate::kernels::KernelError;

/// The beginning of a declaration, up to its number.
const DECLARATION: &str = "@group(0) @binding(";

/// The number of a binding whose number does not matter.
const ANY: &str = "_";

/// One binding that a kernel's WGSL declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    /// Name of the WGSL variable.
    pub name: String,
    /// `@binding` number within group 0.
    pub number: u32,
}

/// WGSL whose bindings all have numbers, and their list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbered {
    pub text: String,
    pub bindings: Vec<Binding>,
}

/// Gives each `@binding(_)` of `text` the smallest number that no other binding has.
pub(super) fn number(text: &str) -> Numbered {
    let taken: Vec<u32> = text
        .lines()
        .filter_map(declaration)
        .filter_map(|(number, _)| number.parse().ok())
        .collect();
    let mut free = (0..).filter(|number| !taken.contains(number));
    let mut numbered = Numbered {
        text: String::with_capacity(text.len()),
        bindings: Vec::new(),
    };
    for line in text.lines() {
        let declared = declaration(line);
        let number = match declared {
            Some((ANY, _)) => free.next(),
            Some((number, _)) => number.parse().ok(),
            None => None,
        };
        match (declared, number) {
            (Some((written, name)), Some(number)) => {
                let rest = &line[DECLARATION.len() + written.len()..];
                numbered.text += &format!("{DECLARATION}{number}{rest}");
                numbered.bindings.push(Binding {
                    name: name.to_owned(),
                    number,
                });
            }
            _ => numbered.text += line,
        }
        numbered.text.push('\n');
    }
    numbered
}

/// Number and name, as written, of the binding that `line` declares.
fn declaration(line: &str) -> Option<(&str, &str)> {
    let (number, rest) = line.strip_prefix(DECLARATION)?.split_once(')')?;
    let rest = rest.trim_start().strip_prefix("var")?;
    let rest = match rest.strip_prefix('<') {
        Some(space) => space.split_once('>')?.1,
        None => rest,
    };
    let (name, _) = rest.split_once(':')?;
    Some((number, name.trim()))
}

/// The numbers of `bound`, which must name each of the `declared` bindings of `kernel` once.
///
/// # Errors
///
/// [`KernelError::Binding`] for a name that is unknown, bound twice, or not bound.
pub(super) fn resolve<T>(
    kernel: &str,
    declared: &[Binding],
    bound: impl IntoIterator<Item = (&'static str, T)>,
) -> Result<Vec<(u32, T)>, KernelError> {
    let wrong = |binding: &str, problem| KernelError::Binding {
        kernel: kernel.to_owned(),
        binding: binding.to_owned(),
        problem,
    };
    let mut resolved: Vec<(u32, T)> = Vec::with_capacity(declared.len());
    for (name, resource) in bound {
        let binding = declared.iter().find(|binding| binding.name == name);
        let number = binding.ok_or_else(|| wrong(name, "is unknown"))?.number;
        if resolved.iter().any(|(other, _)| *other == number) {
            return Err(wrong(name, "is bound twice"));
        }
        resolved.push((number, resource));
    }
    let is_bound = |number| resolved.iter().any(|(other, _)| *other == number);
    match declared.iter().find(|binding| !is_bound(binding.number)) {
        Some(missing) => Err(wrong(&missing.name, "is not bound")),
        None => Ok(resolved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
// `@group(0) @binding(_)` in a comment declares nothing.
@group(0) @binding(1) var<storage, read> scales: array<u32>;
@group(0) @binding(_) var<storage, read_write> keys: array<vec4<u32>>;
@group(0) @binding(_) var<uniform> place: vec4<u32>;
@group(0) @binding(4) var image: texture_2d<u32>;
";

    fn binding(name: &str, number: u32) -> Binding {
        Binding {
            name: name.to_owned(),
            number,
        }
    }

    #[test]
    fn numbers_are_those_that_are_free() {
        let Numbered { text, bindings } = number(TEXT);
        let expected = [("scales", 1), ("keys", 0), ("place", 2), ("image", 4)];
        assert_eq!(
            bindings,
            expected.map(|(name, number)| binding(name, number))
        );
        assert!(text.contains("@group(0) @binding(0) var<storage, read_write> keys: array<vec4"));
        assert!(text.contains("@group(0) @binding(2) var<uniform> place: vec4<u32>;\n"));
        assert_eq!(text.lines().next(), TEXT.lines().next());
        assert_eq!(text.lines().count(), TEXT.lines().count());
    }

    #[test]
    fn names_are_bound_once_each_in_any_order() {
        let declared = [binding("keys", 0), binding("place", 2)];
        let bound = |names: &[&'static str]| {
            let named = names.iter().map(|name| (*name, *name));
            resolve("attend", &declared, named).map_err(|error| error.to_string())
        };
        assert_eq!(
            bound(&["place", "keys"]),
            Ok(vec![(2, "place"), (0, "keys")])
        );
        let wrong = [
            (&["keys"][..], "attend: the binding `place` is not bound"),
            (
                &["keys", "keys"],
                "attend: the binding `keys` is bound twice",
            ),
            (&["key", "place"], "attend: the binding `key` is unknown"),
        ];
        for (names, message) in wrong {
            assert_eq!(bound(names), Err(message.to_owned()));
        }
    }
}
