//! The tables' figures and ratios.

use serde::Serialize;
use serde_json::{Value, json};

use super::measured::{
    Kind, Measured, OfFormat, Prefill, Product, ProductKind, Spot, StepMs, Turns, best,
};

/// A table.
#[derive(Serialize)]
pub struct Section {
    pub title: &'static str,
    pub about: &'static str,
    pub columns: Vec<&'static str>,
    /// Texts, numbers, and null without a measurement.
    pub rows: Vec<Vec<Value>>,
}

/// All sections with measurements. `browser` measured at the same spots as `native`, in the same
/// order.
pub fn of(native: &Measured, browser: Option<&Measured>) -> Vec<Section> {
    let mut sections = vec![prefill(native, browser), decode(native, browser)];
    sections.push(limit(native, browser));
    sections.push(counts(native, browser));
    sections.push(memory(native, browser));
    sections.push(storage(native, browser));
    sections.push(selection(native, browser));
    sections.push(curve(native, browser));
    sections.push(products(native));
    sections.push(formats(native));
    sections.push(turns(native));
    sections.push(many_turns(native));
    sections.retain(|section| !section.rows.is_empty());
    sections
}

fn of_kind(measured: &Measured, kind: Kind) -> impl Iterator<Item = &Spot> {
    measured.spots.iter().filter(move |spot| spot.kind == kind)
}

/// Each of `native`'s spots of a kind, with the browser's.
fn pairs<'a>(
    native: &'a Measured,
    browser: Option<&'a Measured>,
    kind: Kind,
) -> Vec<(&'a Spot, Option<&'a Spot>)> {
    let mut others = browser.into_iter().flat_map(|it| of_kind(it, kind));
    of_kind(native, kind)
        .map(|spot| (spot, others.next()))
        .collect()
}

fn ratio(of: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(of? / to?)
}

fn least(ms: &[f64]) -> Option<f64> {
    ms.iter().copied().min_by(f64::total_cmp)
}

fn prefill(native: &Measured, browser: Option<&Measured>) -> Section {
    let rate = |prefill: &Prefill| Some(f64::from(prefill.context) * 1000.0 / least(&prefill.ms)?);
    let mut others = browser.into_iter().flat_map(|it| &it.prefill);
    let rows = native.prefill.iter().map(|prefill| {
        let (here, there) = (rate(prefill), others.next().and_then(rate));
        let wllama =
            browser.and_then(|it| it.wllama.iter().find(|it| it.context == prefill.context));
        let wllama = wllama.map(|it| f64::from(it.context) * 1000.0 / it.prefill_ms);
        vec![
            json!(prefill.context),
            json!(prefill.method),
            json!(here),
            json!(there),
            json!(ratio(there, here)),
            json!(wllama),
            json!(ratio(there, wllama)),
        ]
    });
    Section {
        title: "prefill, tokens a second",
        about: "the best of each prompt's runs, to the first new token's logits",
        columns: vec![
            "prompt",
            "method",
            "native",
            "browser",
            "browser / native",
            "wllama",
            "browser / wllama",
        ],
        rows: rows.collect(),
    }
}

fn decode(native: &Measured, browser: Option<&Measured>) -> Section {
    let rows = pairs(native, browser, Kind::Decode)
        .into_iter()
        .map(|(here, there)| {
            let wllama =
                browser.and_then(|it| it.wllama.iter().find(|it| it.context == here.context));
            let rate = |rounds: &[Vec<f64>]| StepMs::of(rounds).map(StepMs::tokens_per_second);
            let (native, browser) = (rate(&here.ms), there.and_then(|it| rate(&it.ms)));
            let wllama = wllama.and_then(|it| rate(&it.ms));
            vec![
                json!(here.context),
                json!(here.policy),
                json!(here.held),
                json!(here.cache_bytes as f64 / 1e6),
                json!(native),
                json!(browser),
                json!(ratio(browser, native)),
                json!(wllama),
                json!(ratio(browser, wllama)),
            ]
        });
    Section {
        title: "decode, tokens a second",
        about: "by the mean over consecutive steps of the best that each took in any round",
        columns: vec![
            "context",
            "policy",
            "slots a head",
            "cache, MB",
            "native",
            "browser",
            "browser / native",
            "wllama",
            "browser / wllama",
        ],
        rows: rows.collect(),
    }
}

fn limit(native: &Measured, browser: Option<&Measured>) -> Section {
    let limited = of_kind(native, Kind::Decode).any(|spot| StepMs::of(&spot.bare_ms).is_some());
    let rows = pairs(native, browser, Kind::Decode)
        .into_iter()
        .map(|(here, there)| {
            let mut row = vec![json!(here.context), json!(here.policy)];
            for spot in [Some(here), there] {
                let whole = spot.and_then(|spot| StepMs::of(&spot.ms));
                let bare = spot.and_then(|spot| StepMs::of(&spot.bare_ms));
                let (best, limit) = (whole.map(|it| it.best), bare.map(|it| it.best));
                row.push(json!(best));
                row.push(json!(whole.map(|it| it.median)));
                row.push(json!(whole.map(|it| it.min)));
                row.push(json!(limit));
                row.push(json!(ratio(best, limit)));
                let medians = (whole.map(|it| it.median), bare.map(|it| it.median));
                row.push(json!(ratio(medians.0, medians.1)));
            }
            row
        });
    Section {
        title: "milliseconds of a step, over its limit",
        about: if limited {
            "the limit is a step of the same kernels over the same slots with its matrix products and attention only, in the \
             same rounds; best as above, median and least of all steps in all rounds"
        } else {
            "NO LIMIT was measured: the decoder has no bare step; best as above, median and least of all steps in all rounds"
        },
        columns: vec![
            "context",
            "policy",
            "native, best",
            "median",
            "least",
            "limit",
            "best / limit",
            "by medians",
            "browser, best",
            "median",
            "least",
            "limit",
            "best / limit",
            "by medians",
        ],
        rows: rows.collect(),
    }
}

fn counts(native: &Measured, browser: Option<&Measured>) -> Section {
    let mut rows = Vec::new();
    for (place, measured) in [("native", Some(native)), ("browser", browser)] {
        let spots = measured
            .into_iter()
            .flat_map(|it| of_kind(it, Kind::Decode));
        for spot in spots.filter(|spot| !spot.counts.is_empty()) {
            let mut row = vec![json!(place), json!(spot.context), json!(spot.policy)];
            let steps: Vec<_> = spot.counts.iter().map(|step| step.columns()).collect();
            row.extend((0..steps[0].len()).map(|column| {
                let values = steps.iter().filter_map(|step| step[column]);
                match (values.clone().min(), values.max()) {
                    (Some(least), Some(most)) if least < most => json!(format!("{least}..{most}")),
                    (least, _) => json!(least),
                }
            }));
            rows.push(row);
        }
    }
    Section {
        title: "what a step asks of WebGPU",
        about: "a token in the steady state, least and most where steps differ; in the browser counted at its own objects, \
                natively by the decoder at what it records, where objects are not counted",
        columns: vec![
            "where",
            "context",
            "policy",
            "dispatches",
            "submissions",
            "bytes uploaded",
            "bytes read back",
            "buffers made",
            "bind groups made",
            "shader modules made",
            "pipelines made",
        ],
        rows,
    }
}

fn storage(native: &Measured, browser: Option<&Measured>) -> Section {
    let spots = pairs(native, browser, Kind::Storage);
    let best = |spot: &Spot| StepMs::of(&spot.ms).map(|it| it.best);
    // The first type of each context.
    let compared = |context: u32| spots.iter().find(|(here, _)| here.context == context);
    let rows = spots.iter().map(|(here, there)| {
        let first = compared(here.context);
        let (here_ms, there_ms) = (best(here), there.and_then(best));
        let first_ms = first.and_then(|(here, _)| best(here));
        let first_there = first.and_then(|(_, there)| there.and_then(best));
        let first_bytes = first.map(|(here, _)| here.cache_bytes as f64);
        vec![
            json!(here.context),
            json!(here.policy),
            json!(here.cache_bytes as f64 / 1e6),
            json!(ratio(Some(here.cache_bytes as f64), first_bytes)),
            json!(here_ms),
            json!(ratio(here_ms, first_ms)),
            json!(there_ms),
            json!(ratio(there_ms, first_there)),
        ]
    });
    Section {
        title: "a step by the storage type of a full cache",
        about: "a step reads all of the cache once, so its bytes are those read beside the weights; best as above, and over f16's",
        columns: vec![
            "context",
            "type",
            "cache read, MB",
            "of f16",
            "native, ms",
            "of f16",
            "browser, ms",
            "of f16",
        ],
        rows: rows.collect(),
    }
}

fn memory(native: &Measured, browser: Option<&Measured>) -> Section {
    let mega = |bytes: Option<u64>| json!(bytes.map(|bytes| bytes as f64 / 1e6));
    let mut others = browser.into_iter().flat_map(|it| &it.prefill);
    let prefill = native.prefill.iter().map(|here| {
        let there = others.next();
        vec![
            json!(format!("prompt of {}", here.context)),
            json!(here.method),
            mega(here.peak_gpu_bytes),
            mega(there.and_then(|it| it.peak_gpu_bytes)),
            mega(there.and_then(|it| it.wasm_bytes)),
        ]
    });
    let decode = pairs(native, browser, Kind::Decode);
    let decode = decode.into_iter().map(|(here, there)| {
        vec![
            json!(format!("decoding at {}", here.context)),
            json!(here.policy),
            mega(here.gpu_bytes),
            mega(there.and_then(|it| it.gpu_bytes)),
            Value::Null,
        ]
    });
    Section {
        title: "peak memory, MB",
        about: "the most bytes of GPU buffers at once, model and cache included: in the browser all that existed, natively what \
                burn had reserved, looked at after each step and after each chunk of a prompt but the last; and the module's \
                own memory",
        columns: vec![
            "while",
            "method or policy",
            "native GPU",
            "browser GPU",
            "wasm",
        ],
        rows: prefill.chain(decode).collect(),
    }
}

fn selection(native: &Measured, browser: Option<&Measured>) -> Section {
    /// Label of the kernel that scores and selects.
    const KERNEL: &str = "evict";
    let rows = pairs(native, browser, Kind::Selection)
        .into_iter()
        .map(|(here, there)| {
            let kernel = there.map(|spot| {
                let named = spot
                    .kernels
                    .iter()
                    .filter(|(label, _)| label.contains(KERNEL));
                named.fold([0, 0], |[dispatches, bytes], (_, kernel)| {
                    [dispatches + kernel.dispatches, bytes + kernel.bytes]
                })
            });
            vec![
                json!(here.policy),
                json!(here.steps),
                json!(here.selections),
                json!(kernel.map(|[dispatches, _]| dispatches)),
                json!(kernel.map(|[_, bytes]| bytes as f64 / 1e6)),
                json!(StepMs::of(&here.ms).map(|it| it.best)),
                json!(there.and_then(|it| StepMs::of(&it.ms)).map(|it| it.best)),
            ]
        });
    Section {
        title: "scoring and selecting",
        about: "over so many consecutive steps: those at which each layer selects, the dispatches that selected and the bytes \
                bound to them, counted in the browser; and a step's mean milliseconds",
        columns: vec![
            "policy",
            "steps",
            "selecting",
            "dispatches",
            "MB bound",
            "native, ms",
            "browser, ms",
        ],
        rows: rows.collect(),
    }
}

fn curve(native: &Measured, browser: Option<&Measured>) -> Section {
    let mut rows = Vec::new();
    for (place, measured) in [("native", Some(native)), ("browser", browser)] {
        let spots: Vec<_> = measured
            .into_iter()
            .flat_map(|it| of_kind(it, Kind::Curve))
            .collect();
        for of_policy in spots.chunk_by(|one, other| one.policy == other.policy) {
            let points: Vec<_> = of_policy.iter().flat_map(|spot| points(spot)).collect();
            rows.extend(along(place, &of_policy[0].policy, of_policy, &points));
        }
    }
    Section {
        title: "a step's time along a generation",
        about: "2,048 slots kept of the prompt, 512 for decoding: windows of consecutive steps from the first selection on, at \
                regular distances and around every growth of the cache's memory; each step's best of all rounds. First and \
                last are the means of the first and the last window; the line is through all steps, by least squares",
        columns: vec![
            "where",
            "policy",
            "steps measured",
            "from",
            "to",
            "first, ms",
            "last, ms",
            "last / first",
            "by a line through all",
            "largest jump, %",
            "at",
        ],
        rows,
    }
}

fn products(native: &Measured) -> Section {
    let rate = |product: &Product| Some(product.multiply_adds as f64 / least(&product.ms)? / 1e6);
    let of_bench = native.products.iter();
    let of_bench = of_bench.filter(|product| product.kind == ProductKind::Bench);
    let best = of_bench.filter_map(rate).max_by(f64::total_cmp);
    let rows = native.products.iter().map(|product| {
        let kernel = match product.kind {
            ProductKind::Bench => "for comparison",
            ProductKind::Texture => "what would be, from a texture",
            ProductKind::Product => "decode step, gate and up",
            ProductKind::Attention => "decode step, attention",
        };
        let rate = rate(product);
        vec![
            json!(kernel),
            json!(product.name),
            json!(if product.chosen { "yes" } else { "" }),
            json!(least(&product.ms)),
            json!(rate),
            json!(ratio(rate, best)),
        ]
    });
    Section {
        title: "products and attention by themselves",
        about: "native; a Q4_1 matrix of 3072 rows of 576 and one vector, and 9 query heads of 64 over 1,024 slots of 3 KV heads \
                in f16; G multiply-adds a second by the best of all rounds, in each of which every kernel has its turn, and that \
                over the best of the kernels for comparison. Those have an input that is quantised and normed before, ours norm \
                it and do the SiLU; chosen is what the model's steps do on this adapter",
        columns: vec![
            "kernel",
            "way",
            "chosen",
            "ms",
            "G a second",
            "over the best compared",
        ],
        rows: rows.collect(),
    }
}

/// The format that the others are compared with.
const COMPARED: &str = "Q4_1";

fn formats(native: &Measured) -> Section {
    let vector = |it: &OfFormat| Some(it.multiply_adds as f64 / least(&it.vector_ms)? / 1e6);
    let prompt = |it: &OfFormat| {
        let multiply_adds = (it.multiply_adds * it.tokens) as f64;
        Some(multiply_adds / least(&it.prompt_ms)? / 1e6)
    };
    let compared = native.formats.iter().find(|it| it.format == COMPARED);
    let rows = native.formats.iter().map(|it| {
        vec![
            json!(it.format),
            json!(vector(it)),
            json!(ratio(vector(it), compared.and_then(vector))),
            json!(prompt(it)),
            json!(ratio(prompt(it), compared.and_then(prompt))),
        ]
    });
    Section {
        title: "products by format",
        about: "native; a matrix of 3072 rows of 768 with one vector, by a decode step's kernel of gate and up, and with the 128 \
                of a prompt; G multiply-adds a second by the best of all rounds, in each of which every format has its turn, and \
                that over Q4_1's",
        columns: vec![
            "format",
            "a vector, G a second",
            "over Q4_1's",
            "a prompt, G a second",
            "over Q4_1's",
        ],
        rows: rows.collect(),
    }
}

fn turns(native: &Measured) -> Section {
    let rows = native.turns.iter().map(|it| {
        let [resumed, alone, afresh] =
            [&it.resumed_ms, &it.alone_ms, &it.afresh_ms].map(|ms| least(ms));
        vec![
            json!(it.held),
            json!(it.added),
            json!(resumed),
            json!(ratio(resumed, alone)),
            json!(ratio(resumed, afresh)),
        ]
    });
    Section {
        title: "a later turn's prompt",
        about: "native; a full cache that a session holds; ms to the first new token's logits, the best of all rounds, and that \
                over the new tokens by themselves and over all computed afresh",
        columns: vec!["held", "new", "ms", "over the new alone", "over afresh"],
        rows: rows.collect(),
    }
}

/// The turns whose steps are shown: the first after which the cache is full, and others.
const SHOWN_TURNS: [usize; 4] = [5, 20, 35, 50];

fn many_turns(native: &Measured) -> Section {
    let best = |it: &Turns, turn: usize| least(it.steps_ms.get(turn - 1)?);
    let rows = native.turns.iter().flat_map(|it| {
        SHOWN_TURNS.map(|turn| {
            vec![
                json!(turn),
                json!(it.held_bytes.get(turn - 1)),
                json!(best(it, turn)),
                json!(ratio(best(it, turn), best(it, SHOWN_TURNS[0]))),
            ]
        })
    });
    Section {
        title: "steps of many turns",
        about: "native; h2o of 128 and slide of 32 slots; the best step of a turn, and that over the first one's shown",
        columns: vec!["turn", "bytes held", "step, ms", "over"],
        rows: rows.collect(),
    }
}

/// Positions and milliseconds.
fn points(spot: &Spot) -> Vec<(u32, f64)> {
    let first = spot.position + spot.warm;
    (first..).zip(best(&spot.ms)).collect()
}

fn along(place: &str, policy: &str, spots: &[&Spot], points: &[(u32, f64)]) -> Option<Vec<Value>> {
    let (first, last) = (spots.first()?, spots.last()?);
    let mean = |spot: &Spot| StepMs::of(&spot.ms).map(|it| it.best);
    let (start, end) = (mean(first), mean(last));
    let jumps = points
        .windows(2)
        .map(|pair| (pair[1].1 / pair[0].1, pair[1].0));
    let largest = jumps.max_by(|one, other| one.0.total_cmp(&other.0));
    Some(vec![
        json!(place),
        json!(policy),
        json!(points.len()),
        json!(points.first().map(|point| point.0)),
        json!(points.last().map(|point| point.0)),
        json!(start),
        json!(end),
        json!(ratio(end, start)),
        json!(trend(points)),
        json!(largest.map(|(ratio, _)| 100.0 * (ratio - 1.0))),
        json!(largest.map(|(_, position)| position)),
    ])
}

/// Ratio of a straight line's value at the last position to that at the first. The line fits all
/// points by least squares.
fn trend(points: &[(u32, f64)]) -> Option<f64> {
    let (from, to) = (points.first()?.0, points.last()?.0);
    let count = points.len() as f64;
    let mean = |of: fn(&(u32, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (position, ms) = (mean(|it| f64::from(it.0)), mean(|it| it.1));
    let (mut both, mut square) = (0.0, 0.0);
    for (at, took) in points {
        let off = f64::from(*at) - position;
        both += off * (took - ms);
        square += off * off;
    }
    let line = |at: u32| ms + both / square * (f64::from(at) - position);
    Some(line(to) / line(from)).filter(|it| it.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_that_of_all_points() {
        let line = |at: u32| (at, 50.0 + f64::from(at) / 10.0);
        let points = [line(500), line(800), line(1000)];
        let exact = trend(&points).expect("a line");
        assert!((exact - 1.5).abs() < 1e-9, "{exact}");
        let off = [line(500), (600, 115.0), (900, 135.0), line(1000)];
        let through = trend(&off).expect("a line");
        assert!((1.3..1.5).contains(&through), "{through}");
        assert_eq!(trend(&[(500, 100.0)]), None);
        assert_eq!(trend(&[]), None);
    }

    fn half(more: Value) -> Measured {
        let mut spot = json!({
            "kind": "decode", "policy": "slide", "context": 128, "position": 126, "held": 120, "warm": 2, "steps": 2,
            "selections": 2, "cacheBytes": 2_000_000, "ms": [[200.0, 100.0], [100.0, 200.0]], "bareMs": [[80.0, 80.0]],
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            spot[name] = value.clone();
        }
        let half = json!({
            "prefill": [{ "context": 128, "method": "full", "ms": [1000.0, 2000.0] }],
            "spots": [spot],
            "wllama": [{ "context": 128, "prefillMs": 500.0, "ms": [[50.0]] }],
        });
        serde_json::from_value(half).expect("as both halves write it")
    }

    fn row<'a>(sections: &'a [Section], title: &str) -> &'a [Value] {
        let section = sections.iter().find(|it| it.title.starts_with(title));
        let section = section.expect("a section");
        assert_eq!(section.rows[0].len(), section.columns.len());
        &section.rows[0]
    }

    #[test]
    fn ratios_are_of_the_best() {
        let sections = of(
            &half(json!({})),
            Some(&half(json!({ "ms": [[125.0, 125.0]] }))),
        );
        let decode = row(&sections, "decode");
        assert_eq!(decode[4..], [10.0, 8.0, 0.8, 20.0, 0.4].map(Value::from));
        assert_eq!(
            row(&sections, "prefill")[2..4],
            [128.0, 128.0].map(Value::from)
        );
        // The median of 100, 100, 200 and 200 is the upper one.
        let over = row(&sections, "milliseconds");
        assert_eq!(over[6..8], [1.25, 2.5].map(Value::from));
    }

    #[test]
    fn kernels_are_rated_by_the_best_compared() {
        let product = |kind: &str, ms: [f64; 2]| json!({ "kind": kind, "name": kind, "chosen": false, "multiplyAdds": 2_000_000, "ms": ms });
        let kernels = [
            product("bench", [4.0, 2.0]),
            product("bench", [8.0, 9.0]),
            product("product", [1.0, 1.6]),
            product("attention", [3.0, 2.5]),
        ];
        let native = json!({ "prefill": [], "spots": [], "products": kernels });
        let sections = of(&serde_json::from_value(native).expect("a half"), None);
        let [section] = sections.as_slice() else {
            panic!("only what was measured is shown");
        };
        let rated: Vec<_> = section.rows.iter().map(|row| &row[3..]).collect();
        assert_eq!(rated[0], [2.0, 1.0, 1.0].map(Value::from));
        assert_eq!(rated[2], [1.0, 2.0, 2.0].map(Value::from));
        assert_eq!(rated[3], [2.5, 0.8, 0.8].map(Value::from));
    }

    #[test]
    fn formats_are_rated_by_one_of_them() {
        let format = |name: &str, vector: [f64; 2], prompt: [f64; 1]| {
            json!({
                "format": name, "multiplyAdds": 2_000_000, "tokens": 10,
                "vectorMs": vector, "promptMs": prompt,
            })
        };
        let formats = [
            format("Q8_0", [5.0, 4.0], [20.0]),
            format("Q4_1", [2.0, 3.0], [10.0]),
        ];
        let native = json!({ "prefill": [], "spots": [], "formats": formats });
        let sections = of(&serde_json::from_value(native).expect("a half"), None);
        let rows = &sections[0].rows;
        assert_eq!(rows[0][1..], [0.5, 0.5, 1.0, 0.5].map(Value::from));
        assert_eq!(rows[1][1..], [1.0, 1.0, 2.0, 1.0].map(Value::from));
    }

    #[test]
    fn counts_that_differ_are_a_range() {
        let counts = |dispatches: u64| {
            json!({
                "dispatches": dispatches, "submissions": 1, "bytesUploaded": 20, "bytesReadBack": 16, "buffers": 0,
                "bindGroups": 0, "shaderModules": 0, "pipelines": 0,
            })
        };
        let browser = half(json!({ "counts": [counts(243), counts(213)] }));
        let native = half(json!({ "counts": [
            { "dispatches": 213, "submissions": 1, "uploadedBytes": 20, "readBytes": 16 },
        ] }));
        let sections = of(&native, Some(&browser));
        let section = sections
            .iter()
            .find(|it| it.title.starts_with("what a step asks"));
        let rows = &section.expect("a section").rows;
        assert_eq!(rows[0][0], json!("native"));
        assert_eq!(rows[0][3..5], [json!(213), json!(1)]);
        assert_eq!(rows[0][7], Value::Null);
        assert_eq!(rows[1][0], json!("browser"));
        assert_eq!(rows[1][3..5], [json!("213..243"), json!(1)]);
    }
}
