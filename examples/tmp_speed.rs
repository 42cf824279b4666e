use kvscope::gpu::*;
use kvscope::model::*;
use std::time::Instant;
fn main() {
    let flex = std::env::args().nth(1).as_deref() == Some("flex");
    let gpu = Gpu::open_blocking(GpuOptions::default()).unwrap();
    println!("{}", gpu.report().name);
    let device = if flex {
        burn::tensor::Device::flex()
    } else {
        gpu.device().clone()
    };
    let t = Instant::now();
    let l = load_gguf_files(
        &[std::env::var("KVSCOPE_MODEL").unwrap().into()],
        &device,
        |_| (),
    )
    .unwrap();
    device.sync().unwrap();
    println!("load {:?}, {} bytes", t.elapsed(), l.model.matrix_bytes());
    let r: serde_json::Value =
        serde_json::from_slice(&std::fs::read("/work/shared/reference/ref_dev.json").unwrap())
            .unwrap();
    for run in r["generation"].as_array().unwrap() {
        let ids = |k: &str| -> Vec<u32> {
            run[k]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_u64().unwrap() as u32)
                .collect()
        };
        let (prompt, greedy) = (ids("prompt_ids"), ids("greedy_ids"));
        let mut cache = l.model.config().cache().init(&device).unwrap();
        let t = Instant::now();
        let logits = l
            .model
            .append(&prompt, &mut cache, LogitRows::Last)
            .unwrap();
        for i in 0..30 {
            cache.finish_prefill(i).unwrap();
        }
        let best = |v: Vec<f32>| {
            v.iter()
                .enumerate()
                .reduce(|a, b| if b.1 > a.1 { b } else { a })
                .unwrap()
                .0 as u32
        };
        let mut got = vec![best(logits.try_into_data().unwrap().try_to_vec().unwrap())];
        println!("prefill {} in {:?}", prompt.len(), t.elapsed());
        let t = Instant::now();
        let mut n = 0;
        for &g in greedy.iter().take(20) {
            let logits = l.model.step(g, &mut cache).unwrap();
            got.push(best(logits.try_into_data().unwrap().try_to_vec().unwrap()));
            n += 1;
        }
        println!("steps {n} in {:?} each", t.elapsed() / n);
        println!("{got:?}\n{:?}", &greedy[..21]);
    }
    let mut cache = l.model.config().cache().init(&device).unwrap();
    for _ in 0..2 {
        let t = Instant::now();
        let tokens: Vec<u32> = (0..256).map(|i| 1000 + i).collect();
        let x = l
            .model
            .append(&tokens, &mut cache, LogitRows::Last)
            .unwrap();
        let _ = x.try_into_data();
        println!("prefill 256 {:?}", t.elapsed());
    }
}
