//! Ctrl-C and requests to terminate.

use std::process::exit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kvscope::generate::Cancel;

use super::INTERRUPTED;

/// Work that a signal cancels, one piece after the other.
#[derive(Clone, Default)]
pub struct Interrupts(Arc<Mutex<Option<Cancel>>>);

impl Interrupts {
    /// Installs a handler: a signal cancels the work that has begun. The next one, or one between
    /// pieces of work, ends the command.
    pub fn handled() -> Self {
        let interrupts = Self::default();
        let of_handler = interrupts.clone();
        let set = ctrlc::set_handler(move || match &*of_handler.running() {
            Some(cancel) if !cancel.is_cancelled() => cancel.cancel(),
            _ => exit(INTERRUPTED.into()),
        });
        if let Err(error) = set {
            log::warn!("Ctrl-C ends the command without a summary: {error}");
        }
        interrupts
    }

    /// Begins a piece of work.
    pub fn begin(&self) -> Cancel {
        let cancel = Cancel::new();
        self.running().replace(cancel.clone());
        cancel
    }

    /// Ends it.
    pub fn end(&self) {
        self.running().take();
    }

    fn running(&self) -> MutexGuard<'_, Option<Cancel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Installs a handler: the first signal cancels the load or the generation, the next one ends the
/// command.
pub fn cancel_on_interrupt() -> Cancel {
    Interrupts::handled().begin()
}
