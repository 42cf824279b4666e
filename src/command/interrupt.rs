//! Ctrl-C and requests to terminate.

use std::process::exit;

use kvscope::generate::Cancel;

use super::INTERRUPTED;

/// Installs a handler: the first signal cancels the load or the generation, the next one ends the
/// command.
pub fn cancel_on_interrupt() -> Cancel {
    let cancel = Cancel::new();
    let asked = cancel.clone();
    let set = ctrlc::set_handler(move || {
        if asked.is_cancelled() {
            exit(INTERRUPTED.into());
        }
        asked.cancel();
    });
    if let Err(error) = set {
        log::warn!("Ctrl-C ends the command without a summary: {error}");
    }
    cancel
}
