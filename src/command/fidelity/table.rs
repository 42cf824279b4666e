//! The summary in Markdown.

use std::fmt::Write;

use super::record::Record;
use super::summary::{ALL, Row};
use crate::command::day::day;
use crate::command::readme::{cell, percent};

/// Describes the measurement and links the plot. A table over all examples follows; of several
/// files, one per file too.
pub fn markdown(record: &Record, command: &str, plot: &str) -> String {
    let mut text = String::new();
    let Some(all) = record.summary.get(ALL) else {
        return text;
    };
    let (examples, positions) = all
        .first()
        .map_or((0, 0), |row| (row.examples, row.positions));
    let hours = record.examples.iter().map(|it| it.seconds).sum::<f64>() / 3600.0;
    let files: Vec<&str> = record.summary.keys().map(String::as_str).collect();
    let files: Vec<&str> = files.into_iter().filter(|name| *name != ALL).collect();
    // Writing to a string can't fail.
    let _ = write!(
        text,
        "Written by `{command}` on {}, on {}, in {hours:.1} hours: {examples} examples of {}, {positions} positions of \
         gold answers.\n\n![Divergence from the full cache against bytes held, of a full cache in f16]({plot})\n\n{}",
        day(record.finished),
        record.adapter,
        files.join(" and "),
        table(all)
    );
    if files.len() > 1 {
        for name in files {
            let rows = record.summary.get(name).map_or(&[][..], Vec::as_slice);
            let examples = rows.first().map_or(0, |row| row.examples);
            let _ = write!(
                text,
                "\n<details><summary>{name} alone (examples: {examples})</summary>\n\n{}\n</details>\n",
                table(rows)
            );
        }
    }
    text
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| policy | bytes of full f16 | KL, nats (95 %) | its second half | same top token | its second half | loss |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {:.4} | {:.4} | {} | {} | {:.4} |",
            cell(&row.policy),
            percent(row.share()),
            row.kl,
            row.kl_second_half.mean,
            percent(row.agreement.mean),
            percent(row.agreement_second_half.mean),
            row.loss.mean,
        );
    }
    text
}
