//! Measurements of others, for the plot.

use std::fs;
use std::path::Path;

use kvscope::formats::BlockFormat;
use serde::Deserialize;

use super::data::unusable;
use crate::command::failure::Failure;

/// Bytes per element of f16.
const F16: f64 = 2.0;

/// One measurement.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    pub name: String,
    /// Bytes of the cache, as a share of a full one's in f16.
    pub share: f64,
    /// KL from the full cache, in nats per token.
    pub kl: f64,
}

/// The measurements in the file at `path`.
pub fn read(path: &Path) -> Result<Vec<Point>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| unusable(path, error))?;
    points(&text).map_err(|reason| unusable(path, reason))
}

fn points(text: &str) -> Result<Vec<Point>, String> {
    let points = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let lines = lines.map(|text| line(text).ok_or_else(|| format!("no measurement: {text}")));
        lines.collect::<Result<Vec<_>, _>>()?
    };
    match points
        .iter()
        .find(|it: &&Point| !(it.share > 0.0 && it.kl >= 0.0 && it.kl.is_finite()))
    {
        None => Ok(points),
        Some(Point { name, .. }) => Err(format!("{name} has no share above 0 with a KL")),
    }
}

/// A line with tabs, or one that says its KL after that word and has a format's name first.
fn line(text: &str) -> Option<Point> {
    let point = |name: &str, share, kl| Point {
        name: name.to_owned(),
        share,
        kl,
    };
    if let [name, share, kl] = text.split('\t').collect::<Vec<_>>()[..] {
        return Some(point(
            name,
            share.trim().parse().ok()?,
            kl.trim().parse().ok()?,
        ));
    }
    let mut words = text.split_whitespace();
    let name = words.next()?;
    words.find(|word| *word == "KL")?;
    let kl = words.next()?.parse().ok()?;
    let all = BlockFormat::ALL;
    let format = all.iter().find(|it| it.name().eq_ignore_ascii_case(name))?;
    let bytes = format.block_bytes() as f64 / format.block_elements() as f64;
    Some(point(
        &format!("llama.cpp {}", name.to_lowercase()),
        bytes / F16,
        kl,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_are_read_in_every_form() {
        let one = |name: &str, share, kl| Point {
            name: name.to_owned(),
            share,
            kl,
        };
        let json = r#"[{"name": "a", "share": 0.25, "kl": 0.5}]"#;
        assert_eq!(points(json), Ok(vec![one("a", 0.25, 0.5)]));
        assert_eq!(
            points("a b\t0.25\t0.5\n\n"),
            Ok(vec![one("a b", 0.25, 0.5)])
        );
        let said = "Q8_0 positions 488 KL 0.002800 largest 0.100 same top 98.00 %\n\
                    Q4_0 positions 488 KL 0.042 largest 1.0 same top 90.00 %\n";
        let expected = [
            ("llama.cpp q8_0", 0.53125, 0.0028),
            ("llama.cpp q4_0", 0.28125, 0.042),
        ];
        let expected = expected.map(|(name, share, kl)| one(name, share, kl));
        assert_eq!(points(said), Ok(expected.to_vec()));
    }

    #[test]
    fn what_is_no_measurement_is_refused() {
        for text in [
            "[1]",
            "Q9_0 KL 1",
            "Q8_0 KL",
            "a\t0\t1",
            "a\t1\tNaN",
            "a\t1\t-1",
        ] {
            assert!(points(text).is_err(), "{text}");
        }
    }
}
