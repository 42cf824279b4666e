//! Files on disk: a checkpoint to continue from, the curve so far, and the model.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};

use crate::curriculum::Curriculum;
use crate::evaluate::Accuracy;
use crate::export::write_model;
use crate::model::Model;
use crate::shape::Shape;

/// The checkpoint being written, the last one, and the one before.
const CHECKPOINTS: [&str; 3] = ["checkpoint.new", "checkpoint", "checkpoint.old"];

/// Progress of the training.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Checkpoint {
    pub seed: u64,
    /// Steps taken.
    pub step: usize,
    /// Seconds that they took, checkpoints and evaluations included.
    pub seconds: f64,
    /// Tokens read.
    pub tokens: u64,
    /// Programs read.
    pub sequences: u64,
    pub curriculum: Curriculum,
    pub curve: Vec<Point>,
}

/// A point of the curve.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Point {
    pub step: usize,
    pub seconds: f64,
    pub tokens: u64,
    /// Lines of the longest programs, which the accuracy is of.
    pub longest: usize,
    pub rate: f64,
    /// Mean since the point before.
    pub loss: f32,
    pub accuracy: Accuracy,
}

impl Checkpoint {
    /// Creates the state before the first step.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            step: 0,
            seconds: 0.0,
            tokens: 0,
            sequences: 0,
            curriculum: Curriculum::new(),
            curve: Vec::new(),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Accuracy {
            next,
            copied,
            values,
            results,
            lines,
        } = self.accuracy;
        write!(
            f,
            "step {} after {:.0} s: {} lines, loss {:.4}, right: next {next:.3}, copied {copied:.3}, \
             values {values:.3}, results {results:.3}, lines {lines:.3}",
            self.step, self.seconds, self.longest, self.loss
        )
    }
}

/// The folder of a training.
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    pub fn new(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).with_context(|| format!("{} can't be made", root.display()))?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Reads the last checkpoint, without its weights.
    pub fn read(&self) -> Result<Option<Checkpoint>> {
        let path = self.checkpoint().join("state.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path)?;
        let state = serde_json::from_str(&text);
        Ok(Some(state.with_context(|| path.display().to_string())?))
    }

    /// Loads the last checkpoint's weights, and the state of its optimizer.
    pub fn load(
        &self,
        model: Model,
        optimizer: ModuleOptimizer,
    ) -> Result<(Model, ModuleOptimizer)> {
        let model = model.load_file(self.checkpoint().join("model"));
        let optimizer = optimizer.load(self.checkpoint().join("optimizer"));
        Ok((model, optimizer.context("the optimizer's state")?))
    }

    /// Replaces the last checkpoint, and writes the model and the curve beside it. An interruption
    /// at any time leaves a whole checkpoint.
    pub fn write(
        &self,
        shape: &Shape,
        model: &Model,
        optimizer: &ModuleOptimizer,
        state: &Checkpoint,
    ) -> Result<()> {
        let [new, last, old] = CHECKPOINTS.map(|name| self.root.join(name));
        remove(&new)?;
        fs::create_dir(&new)?;
        model.clone().save_file(new.join("model"))?;
        optimizer.save(new.join("optimizer"))?;
        fs::write(new.join("state.json"), serde_json::to_string(state)?)?;
        if last.exists() {
            remove(&old)?;
            fs::rename(&last, &old)?;
        }
        fs::rename(&new, &last)?;

        fs::write(self.root.join("curve.csv"), curve(state))?;
        let part = self.root.join("trace.gguf.part");
        fs::write(&part, write_model(shape, model)?)?;
        fs::rename(part, self.root.join("trace.gguf"))?;
        Ok(())
    }

    /// The last whole checkpoint.
    fn checkpoint(&self) -> PathBuf {
        let [_, last, old] = CHECKPOINTS.map(|name| self.root.join(name));
        // Missing only after an interruption between the two renames.
        if last.exists() { last } else { old }
    }
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// The curve as comma-separated values.
fn curve(state: &Checkpoint) -> String {
    let head = "step,seconds,tokens,longest,rate,loss,next,copied,values,results,lines\n";
    let rows = state.curve.iter().map(|point| {
        let Accuracy {
            next,
            copied,
            values,
            results,
            lines,
        } = point.accuracy;
        format!(
            "{},{:.0},{},{},{:.6},{:.5},{next:.4},{copied:.4},{values:.4},{results:.4},{lines:.4}\n",
            point.step, point.seconds, point.tokens, point.longest, point.rate, point.loss
        )
    });
    std::iter::once(head.to_owned()).chain(rows).collect()
}
