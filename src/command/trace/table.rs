//! Results in Markdown.

use std::fmt::Write;

use super::{Measured, Report};
use crate::command::day::{day, now};
use crate::command::invocation::invocation;
use crate::command::readme::{cell, percent};

/// Describes the measurement, then a row per policy. A row has the share of right lines for each
/// length of programs. For the longest it also has the share by place in the output, and the
/// cache's memory.
pub fn markdown(report: &Report<'_>, minutes: f64) -> String {
    let mut text = String::new();
    let mut lengths: Vec<usize> = report.results.iter().map(|it| it.lines).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let Some(&longest) = lengths.last() else {
        return text;
    };
    let programs = report.results.first().map_or(0, |it| it.programs);
    // Writing to a string can't fail.
    let _ = writeln!(
        text,
        "Written by `{}` on {}, on {}, in {minutes:.0} minutes: {programs} programs of each length.\n",
        invocation(),
        day(now()),
        report.adapter,
    );
    let columns: String = lengths
        .iter()
        .map(|lines| format!(" {lines} lines |"))
        .collect();
    let _ = writeln!(
        text,
        "| policy | bytes of full f16, at {longest} |{columns} of {longest}: first, second, last third |"
    );
    let _ = writeln!(
        text,
        "| --- | ---: |{} --- |",
        " ---: |".repeat(lengths.len())
    );
    let rows = || report.results.iter().filter(|it| it.lines == longest);
    // A text that ends early would have a smaller full cache, too.
    let full = rows().map(|it| it.full_bytes).max().unwrap_or(0).max(1);
    for row in rows() {
        let same = |lines| {
            let mut all = report.results.iter();
            all.find(|it| it.lines == lines && it.policy == row.policy)
        };
        let exact: String = lengths
            .iter()
            .map(|&lines| {
                format!(
                    " {} |",
                    same(lines).map_or_else(String::new, |it| percent(it.exact))
                )
            })
            .collect();
        let held = row.held_bytes as f64 / full as f64;
        let name = cell(row.policy);
        let _ = writeln!(
            text,
            "| {name} | {} |{exact} {} |",
            percent(held),
            thirds(row)
        );
    }
    text
}

/// Share of right lines in each third of the output.
fn thirds(row: &Measured<'_>) -> String {
    let lines = &row.exact_by_line;
    let thirds = lines.chunks(lines.len().div_ceil(3).max(1));
    let thirds = thirds.map(|third| percent(third.iter().sum::<f64>() / third.len() as f64));
    thirds.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn measured(
        policy: &str,
        lines: usize,
        exact_by_line: Vec<f64>,
        held_bytes: u64,
    ) -> Measured<'_> {
        Measured {
            policy,
            lines,
            programs: 2,
            exact: exact_by_line.iter().sum::<f64>() / exact_by_line.len() as f64,
            exact_by_line,
            held_bytes,
            full_bytes: 200,
        }
    }

    #[test]
    fn rows_are_as_by_hand() {
        let report = Report {
            model: Path::new("m"),
            adapter: "adapter".to_owned(),
            seed: 0,
            results: vec![
                measured("full", 2, vec![1.0, 0.5], 200),
                measured("full", 6, vec![1.0, 1.0, 1.0, 0.5, 0.5, 0.5], 200),
                measured("slide 25%", 6, vec![1.0, 1.0, 0.5, 0.5, 0.0, 0.0], 50),
            ],
        };
        let text = markdown(&report, 3.2);
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| policy | bytes of full f16, at 6 | 2 lines | 6 lines | of 6: first, second, last third |",
                "| --- | ---: | ---: | ---: | --- |",
                "| full | 100.0 % | 75.0 % | 75.0 % | 100.0 %, 75.0 %, 50.0 % |",
                "| slide 25% | 25.0 % |  | 50.0 % | 100.0 %, 50.0 %, 0.0 % |",
            ]
        );
    }
}
