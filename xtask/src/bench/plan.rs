//! The plan of measurements: read by `benches/generation` and `tests/bench`.

use std::path::Path;

use serde_json::{Value, json};

use super::{Method, Options, Part};

/// The last leaves a model of 8,192 positions room to go on.
const CONTEXTS: [u32; 4] = [128, 1024, 4096, 8064];
const QUICK_CONTEXTS: [u32; 2] = [128, 1024];

/// Slots that SCOPE's policies keep of the prompt.
const KEPT: u32 = 2048;

/// δ: steps per slot that an adaptive budget grows. The paper's 512 slots, 256 of them recent, for
/// 4,096 tokens.
const INTERVAL: u32 = 15;

/// Consecutive steps among which `discontinuous` selects at one.
const STEPS: usize = INTERVAL as usize + 2;

/// SCOPE's strategies.
const SCOPE: [&str; 3] = ["slide", "adaptive", "discontinuous"];

/// Storage types, the one first that the others are compared with.
const TYPES: [&str; 3] = ["f16", "h8", "h4"];

/// Steps from a prompt's end to a context, for the warm-up.
const ROOM: u32 = 8;

/// End of the curve, and distance between its windows.
const CURVE: [u32; 2] = [6144, 256];
const QUICK_CURVE: [u32; 2] = [4096, 512];

/// Consecutive steps per window.
const WINDOW: u32 = 6;

/// Context at which selecting is measured.
const SELECTION_CONTEXT: u32 = 1024;

/// Longest prompt that is prefilled again in every round.
const SHORT: u32 = 256;

/// Rounds of the kernels alone: milliseconds each, so that one of the many is undisturbed.
const PRODUCT_ROUNDS: usize = 100;

/// Division of a context by a policy, and its budgets.
struct Settings {
    prompt: u32,
    budget: u32,
    recent: u32,
}

impl Settings {
    /// The paper's decode budget if the context has room for it and some steps beyond, else a
    /// quarter of it.
    fn at(context: u32) -> Self {
        let (budget, recent) = if context >= 1024 {
            (512, 256)
        } else {
            (context / 4, context / 8)
        };
        Self {
            prompt: context - budget - budget / 4,
            budget,
            recent,
        }
    }

    fn filled(&self, policy: &str) -> Value {
        let scope = json!({
            "prefill": { "method": "snapkv", "budget": KEPT },
            "decode": { "strategy": policy, "budget": self.budget, "recent": self.recent },
        });
        json!({
            "policy": policy,
            "cache": if policy == "full" { json!({}) } else { scope },
            "maxNewTokens": self.recent + INTERVAL * (self.budget - self.recent),
            "prompt": self.prompt,
        })
    }
}

/// `filled` with more fields.
fn with(mut filled: Value, more: &[(&str, u32)]) -> Value {
    for (name, value) in more {
        filled[*name] = json!(value);
    }
    filled
}

pub fn of(options: &Options, model: &Path) -> Value {
    let all = |chosen: &[u32]| match chosen {
        [] if options.quick => QUICK_CONTEXTS.to_vec(),
        [] => CONTEXTS.to_vec(),
        chosen => chosen.to_vec(),
    };
    let contexts = all(&options.contexts);
    let prompts = match options.prompts.as_slice() {
        [] => contexts.clone(),
        prompts => prompts.to_vec(),
    };
    let rounds = options.rounds.unwrap_or(if options.quick { 2 } else { 3 });
    let steps = options
        .steps
        .unwrap_or(if options.quick { 4 } else { STEPS });
    let products = if options.quick {
        PRODUCT_ROUNDS / 4
    } else {
        PRODUCT_ROUNDS
    };
    let when = |part, list: Vec<Value>| if options.has(part) { list } else { Vec::new() };
    json!({
        "model": model,
        "browser": options.browser,
        "quick": options.quick,
        "warm": 2,
        "steps": steps,
        "rounds": rounds,
        "passes": options.passes,
        "prefill": when(Part::Prefill, prefill(&prompts, rounds, options)),
        "decode": when(Part::Decode, decode(&contexts)),
        "storage": when(Part::Storage, storage(&contexts)),
        "selection": when(Part::Selection, selection(options.quick)),
        "curve": when(Part::Curve, curve(options.quick)),
        "products": if options.has(Part::Products) { products } else { 0 },
        "formats": if options.has(Part::Products) { products } else { 0 },
        "turns": options.has(Part::Turns).then(|| turns(rounds)),
        "wllama": options.browser && options.has(Part::Wllama),
    })
}

/// A second turn of a conversation of some 600 tokens, and fifty turns under `slide`.
fn turns(rounds: usize) -> Value {
    json!({
        "held": 560,
        "added": 29,
        "repeats": rounds,
        "cache": {
            "prefill": { "method": "h2o", "budget": 128 },
            "decode": { "strategy": "slide", "budget": 32, "recent": 16 },
        },
        "count": 50,
    })
}

fn prefill(prompts: &[u32], rounds: usize, options: &Options) -> Vec<Value> {
    let mut list = Vec::new();
    for context in prompts {
        let repeats = if *context <= SHORT { rounds } else { 1 };
        let mut add = |method: &str, cache: Value| {
            list.push(json!({
                "context": context, "method": method, "cache": cache, "repeats": repeats,
            }));
        };
        if options.takes(Method::Full) {
            add("full", json!({}));
        }
        if *context > KEPT && options.takes(Method::Snapkv) {
            add(
                "snapkv",
                json!({ "prefill": { "method": "snapkv", "budget": KEPT } }),
            );
        }
    }
    list
}

fn decode(contexts: &[u32]) -> Vec<Value> {
    let policies = || ["full"].into_iter().chain(SCOPE);
    let all = contexts.iter().flat_map(|context| {
        policies().map(|policy| {
            let filled = Settings::at(*context).filled(policy);
            with(filled, &[("context", *context)])
        })
    });
    all.collect()
}

/// Full caches in each type, of a prompt that only the last steps follow.
fn storage(contexts: &[u32]) -> Vec<Value> {
    let at = |context: &u32, name: &str| {
        json!({
            "policy": name, "cache": { "cacheType": name }, "maxNewTokens": STEPS,
            "prompt": context - ROOM, "context": context,
        })
    };
    let all = contexts.iter();
    all.flat_map(|context| TYPES.map(|name| at(context, name)))
        .collect()
}

fn selection(quick: bool) -> Vec<Value> {
    let intervals = if quick { 2 } else { 4 };
    let each = SCOPE.map(|policy| {
        let filled = Settings::at(SELECTION_CONTEXT).filled(policy);
        let steps = intervals * INTERVAL;
        with(filled, &[("context", SELECTION_CONTEXT), ("steps", steps)])
    });
    each.to_vec()
}

fn curve(quick: bool) -> Vec<Value> {
    let settings = Settings {
        prompt: KEPT,
        ..Settings::at(KEPT)
    };
    let ([to, every], policies) = match quick {
        true => (QUICK_CURVE, &SCOPE[..1]),
        false => (CURVE, &SCOPE[..]),
    };
    let along = [("to", to), ("every", every), ("window", WINDOW)];
    let each = policies
        .iter()
        .map(|policy| with(settings.filled(policy), &along));
    each.collect()
}
