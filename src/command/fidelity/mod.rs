//! `kvscope eval fidelity`: divergence of a model under a cache policy from itself under a full
//! cache.

mod data;
mod plot;
mod points;
mod record;
mod summary;
mod table;

use std::ops::ControlFlow;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Instant;

use kvscope::Error;
use kvscope::cache::ScopeCacheConfig;
use kvscope::device::ComputeDevice;
use kvscope::engine::Engine;
use kvscope::eval::{Example, Fidelity};
use pollster::block_on;

use self::data::DataFile;
use self::points::Point;
use self::record::{Identity, Measured, Record};
use super::arguments::FidelityArguments;
use super::day::now;
use super::failure::Failure;
use super::generate::Ended;
use super::invocation::invocation;
use super::open::open;
use super::policies::{Compared, compared};
use super::{file, interrupt, progress, readme};

pub fn run(arguments: &FidelityArguments) -> Result<Ended, Failure> {
    let policies = compared(&arguments.policies)?;
    let place = arguments.readme.place("fidelity");
    if let Some((path, section)) = place {
        readme::check(path, section)?;
    }
    let points = match &arguments.points {
        Some(path) => points::read(path)?,
        None => Vec::new(),
    };
    let data = data::read(&arguments.data)?;
    let identity = Identity::new(arguments, &data, &policies)?;
    let mut record = Record::open(arguments.output.as_deref(), identity)?;
    let todo = todo(arguments, &data, &record);

    if !todo.is_empty() {
        let cancel = interrupt::cancel_on_interrupt();
        let engine = open(&arguments.model, arguments.device, &cancel)?;
        let device = engine.device();
        record.adapter = device.name().to_owned();
        let fidelity = Fidelity::new(engine.model(), device).with_workers(match device {
            ComputeDevice::Cpu => workers(),
            ComputeDevice::Gpu(_) => 1,
        });

        let examples = encoded(arguments, &data, &todo, &engine)?;
        let tokens = |example: &Example| (example.prompt.len() + example.answer.len()) as u64;
        let all = examples.iter().map(tokens).sum();
        let mut shown = progress::Examples::new(todo.len(), all);
        let mut before = 0;
        for (&(file, line), example) in todo.iter().zip(&examples) {
            shown.next();
            let configs = configs(&policies, &engine, example)?;
            let start = Instant::now();
            let progress = |done| {
                shown.set(before + done as u64);
                if cancel.is_cancelled() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            let outcomes = block_on(fidelity.run(example, &configs, progress))?;
            let Some(outcomes) = outcomes else {
                shown.end();
                return Ok(Ended::Cancelled);
            };
            before += tokens(example);
            record.examples.push(Measured {
                data: data[file].name.clone(),
                example: line,
                prompt_tokens: example.prompt.len(),
                answer_tokens: example.answer.len(),
                seconds: start.elapsed().as_secs_f64(),
                outcomes,
            });
            record.finished = now();
            record.summary = summary::summary(&record, arguments.bootstrap, arguments.seed);
            // After each example, so that a failure loses no results.
            record.write(arguments.output.as_deref())?;
        }
        shown.end();
    }
    record.summary = summary::summary(&record, arguments.bootstrap, arguments.seed);
    record.write(arguments.output.as_deref())?;
    print(&record);
    if let Some((path, section)) = place {
        show(path, section, &record, &points, arguments.log_bytes)?;
    }
    Ok(Ended::Whole)
}

/// Writes tables into the Markdown file, and the plot beside it.
fn show(
    path: &Path,
    section: &str,
    record: &Record,
    points: &[Point],
    log_bytes: bool,
) -> Result<(), Failure> {
    // A link without a folder works wherever the file is.
    let plot = format!("{section}.svg");
    let svg = plot::svg(&record.summary, points, log_bytes);
    file::replace(&path.with_file_name(&plot), svg.as_bytes()).map_err(Failure::Output)?;
    let text = table::markdown(record, &invocation(), &plot);
    readme::put(path, section, &text)
}

/// File and line of the examples that are not in `record`. The first of each file come first, so
/// that an interrupted run has something of each.
fn todo(arguments: &FidelityArguments, data: &[DataFile], record: &Record) -> Vec<(usize, usize)> {
    let most = data.iter().map(|file| file.lines.len()).max().unwrap_or(0);
    let lines = 0..most.min(arguments.examples.unwrap_or(most));
    let all = lines.flat_map(|line| (0..data.len()).map(move |file| (file, line)));
    all.filter(|&(file, line)| line < data[file].lines.len() && !record.has(&data[file].name, line))
        .collect()
}

fn encoded(
    arguments: &FidelityArguments,
    data: &[DataFile],
    todo: &[(usize, usize)],
    engine: &Engine,
) -> Result<Vec<Example>, Failure> {
    let encoded = todo.iter().map(|&(file, line)| {
        let file = &data[file];
        let example = file.lines[line].example(engine, arguments.raw, arguments.max_answer)?;
        if example.prompt.is_empty() || example.answer.len() < 2 {
            let reason = format!("example {}: there is nothing to compare in it", line + 1);
            let path = file.path.clone();
            return Err(Failure::Data { path, reason });
        }
        Ok(example)
    });
    encoded.collect()
}

fn configs(
    policies: &[Compared],
    engine: &Engine,
    example: &Example,
) -> Result<Vec<ScopeCacheConfig>, Failure> {
    let (prompt, answer) = (example.prompt.len(), example.answer.len());
    let configs = policies.iter().map(|policy| {
        let model = engine.model().config().cache();
        policy.config(model, prompt, answer)
    });
    let configs: Result<Vec<_>, _> = configs.collect();
    Ok(configs.map_err(Error::from)?)
}

fn workers() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn print(record: &Record) {
    let Some(rows) = record.summary.get(summary::ALL) else {
        return;
    };
    println!(
        "KL (95 %)                agreement  second half  loss    most bytes  of full f16  policy"
    );
    for row in rows {
        println!(
            "{:24} {:.4}     {:.4}       {:.4} {:11.0}  {:.3}        {}",
            row.kl.to_string(),
            row.agreement.mean,
            row.agreement_second_half.mean,
            row.loss.mean,
            row.most_bytes,
            row.share(),
            row.policy
        );
    }
}
