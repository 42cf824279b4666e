//! Merged results of several passes. Each pass measures one half completely, native and browser by
//! turns. A slow hour of the machine thus affects both.

use serde_json::Value;

/// Merges `pass` into `all`. Both come from one plan, so that their lists match.
pub fn add(all: &mut Option<Value>, pass: Value) {
    match all {
        None => *all = Some(pass),
        Some(all) => add_half(all, &pass),
    }
}

fn add_half(all: &mut Value, pass: &Value) {
    for list in ["prefill", "spots", "products", "wllama"] {
        let of_all = all.get_mut(list).and_then(Value::as_array_mut);
        let of_pass = pass[list].as_array().into_iter().flatten();
        for (of_all, of_pass) in of_all.into_iter().flatten().zip(of_pass) {
            add_item(of_all, of_pass);
        }
    }
}

fn add_item(all: &mut Value, pass: &Value) {
    for rounds in ["ms", "bareMs"] {
        if let Some(list) = all.get_mut(rounds).and_then(Value::as_array_mut) {
            list.extend(pass[rounds].as_array().into_iter().flatten().cloned());
        }
    }
    keep(all, pass, "prefillMs", f64::min);
    for most in ["peakGpuBytes", "gpuBytes", "wasmBytes"] {
        keep(all, pass, most, f64::max);
    }
}

/// Keeps, of a number that both have, the one that `better` prefers.
fn keep(all: &mut Value, pass: &Value, name: &str, better: fn(f64, f64) -> f64) {
    if let (Some(one), Some(other)) = (all[name].as_f64(), pass[name].as_f64())
        && better(one, other) != one
    {
        all[name] = pass[name].clone();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pass(ms: f64, bytes: u64) -> Value {
        json!({
            "adapter": { "name": "any" },
            "prefill": [{ "context": 128, "ms": [ms], "peakGpuBytes": bytes }],
            "spots": [{ "id": 0, "ms": [[ms, ms]], "bareMs": [], "gpuBytes": bytes }],
            "wllama": [{ "context": 128, "prefillMs": ms, "ms": [[ms]] }],
        })
    }

    #[test]
    fn rounds_follow_each_other_and_the_most_memory_counts() {
        let mut all = None;
        for (ms, bytes) in [(3.0, 7), (2.0, 9), (4.0, 8)] {
            add(&mut all, pass(ms, bytes));
        }
        let all = all.expect("three passes");
        assert_eq!(all["prefill"][0]["ms"], json!([3.0, 2.0, 4.0]));
        assert_eq!(
            all["spots"][0]["ms"],
            json!([[3.0, 3.0], [2.0, 2.0], [4.0, 4.0]])
        );
        assert_eq!(all["spots"][0]["bareMs"], json!([]));
        assert_eq!(all["spots"][0]["gpuBytes"], json!(9));
        assert_eq!(all["prefill"][0]["peakGpuBytes"], json!(9));
        assert_eq!(all["wllama"][0]["prefillMs"], json!(2.0));
        assert_eq!(all["adapter"]["name"], json!("any"));
    }

    #[test]
    fn what_only_one_pass_has_is_not_made_up() {
        let mut all = None;
        add(&mut all, json!({ "spots": [{ "ms": [[1.0]] }] }));
        add(
            &mut all,
            json!({ "spots": [{ "ms": [[2.0]], "gpuBytes": 5 }], "products": [{}] }),
        );
        let all = all.expect("two passes");
        assert_eq!(all, json!({ "spots": [{ "ms": [[1.0], [2.0]] }] }));
    }
}
