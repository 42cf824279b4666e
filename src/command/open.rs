//! Opening a model.

use std::ops::ControlFlow;
use std::path::Path;

use kvscope::engine::{Engine, OpenOptions};
use kvscope::generate::Cancel;
use pollster::block_on;

use super::arguments::Place;
use super::failure::Failure;
use super::{progress, tunings};

/// Opens the model with the user's known tunings, and keeps a tuning that was measured. `cancel`
/// ends the load with [`ModelError::Cancelled`](kvscope::model::ModelError).
pub fn open(model: &Path, place: Place, cancel: &Cancel) -> Result<Engine, Failure> {
    let folder = tunings::folder();
    let before = folder.as_deref().map(tunings::read).unwrap_or_default();
    let mut known = before.clone();

    let options = match place {
        Place::Gpu => OpenOptions::default(),
        Place::Cpu => OpenOptions::cpu(),
    };
    let bar = progress::bytes();
    let options = options
        .with_tunings(&mut known)
        .with_progress(|read, total| {
            bar.set_length(total);
            bar.set_position(read);
            if cancel.is_cancelled() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
    let engine = block_on(Engine::open(model, options));
    bar.finish_and_clear();
    let engine = engine?;
    if let Some(folder) = folder.filter(|_| known != before) {
        tunings::write(&folder, &known);
    }
    Ok(engine)
}
