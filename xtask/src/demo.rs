//! `cargo xtask demo`: the page, built and served on this machine.

use std::fs;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::child;
use crate::module::{self, Profile};
use crate::setup::Kit;

#[derive(Args)]
pub struct Options {
    /// The port to serve on; the next free one if it is taken
    #[arg(long, default_value_t = 8910)]
    port: u16,
    /// Open the page in the default browser
    #[arg(long)]
    open: bool,
}

pub fn run(kit: &Kit, options: &Options) -> Result<()> {
    module::build(kit, Profile::Quick, |_| Ok(()))?;
    child::run(&mut kit.npm_script("build")?)?;
    if let Err(error) = offer_model(kit) {
        // The page works without: it has a small model of its own.
        eprintln!("kvscope: no larger model beside the page: {error:#}");
    }
    let mut server = kit.npm_script("preview")?;
    // Vite's own arguments come after this; it looks for the next free port itself.
    server.args(["--", "--port", &options.port.to_string()]);
    if options.open {
        server.arg("--open");
    }
    child::run(&mut server)
}

/// Puts the tests' model beside the page, and lists it after the page's own.
fn offer_model(kit: &Kit) -> Result<()> {
    let model = &kit.model()?.file;
    let name = model.file_name().context("the model has no name")?;
    let folder = kit.workspace.page().join("model");
    fs::create_dir_all(&folder)?;
    let place = folder.join(name);
    if fs::hard_link(model, &place).is_err() {
        fs::copy(model, &place).with_context(|| format!("{} can't be copied", model.display()))?;
    }
    let larger = json!({
        "name": "SmolLM2-135M-Instruct, Q4_1",
        "url": format!("model/{}", name.to_string_lossy()),
        "bytes": fs::metadata(&place)?.len(),
    });
    let list = kit.workspace.page().join("models.json");
    let built = serde_json::from_slice(&fs::read(&list)?)?;
    fs::write(&list, with_model(&built, larger).to_string())?;
    Ok(())
}

/// Appends a model to a page's offer: the first one is its default.
fn with_model(offer: &Value, model: Value) -> Value {
    let mut models = offer["models"].as_array().cloned().unwrap_or_default();
    models.push(model);
    json!({ "models": models })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_s_own_models_come_first() {
        let own = json!({ "models": [{ "url": "models/own.gguf" }] });
        let larger = json!({ "url": "model/larger.gguf" });
        let offered = with_model(&own, larger.clone());
        assert_eq!(
            offered,
            json!({ "models": [{ "url": "models/own.gguf" }, larger] })
        );
        assert_eq!(
            with_model(&json!({ "models": [] }), larger.clone()),
            json!({ "models": [larger] })
        );
    }
}
