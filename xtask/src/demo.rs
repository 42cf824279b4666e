//! `cargo xtask demo`: the page, built and served on this machine.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::child;
use crate::module::{self, Profile};
use crate::serve;
use crate::setup::Kit;

/// How many ports are tried.
const TRIES: u16 = 100;

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
    module::build(kit, Profile::Release, |_| Ok(()))?;
    child::run(&mut kit.npm_script("build")?)?;
    if let Err(error) = offer_model(kit) {
        // The page goes without: it has a small model of its own.
        eprintln!("kvscope: no larger model beside the page: {error:#}");
    }
    let listener = listen(options.port)?;
    let address = listener.local_addr()?;
    if address.port() != options.port && options.port != 0 {
        eprintln!("port {} is taken", options.port);
    }
    println!("kvscope: http://{address}/ (Ctrl-C ends it)");
    if options.open
        && let Err(error) = open::that_detached(format!("http://{address}/"))
    {
        eprintln!("no browser could be opened: {error}");
    }
    serve::serve(listener, &kit.workspace.page())
}

/// Puts the model that the tests run beside the page, and names it after those that the page has of its own.
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

/// What a page offers with another model at the end of its list: the first one is its default.
fn with_model(offer: &Value, model: Value) -> Value {
    let mut models = offer["models"].as_array().cloned().unwrap_or_default();
    models.push(model);
    json!({ "models": models })
}

/// The first free port from `first` on.
fn listen(first: u16) -> Result<TcpListener> {
    let last = first.saturating_add(TRIES - 1);
    (first..=last)
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .with_context(|| format!("no port from {first} to {last} is free"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_gives_a_later_one() {
        // Low enough that the system hands none of them out by itself.
        let taken = listen(21_000).expect("one of a hundred ports is free");
        let port = taken.local_addr().expect("it is bound").port();
        let other = listen(port).expect("another is free");
        assert!(other.local_addr().expect("it is bound").port() > port);
    }

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

    #[test]
    fn the_search_ends_at_the_last_port() {
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, u16::MAX));
        let error = listen(u16::MAX).expect_err("the only port is taken");
        assert_eq!(error.to_string(), "no port from 65535 to 65535 is free");
    }
}
