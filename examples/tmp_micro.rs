use burn::tensor::*;
use kvscope::cache::*;
use kvscope::gpu::*;
use kvscope::kernels::*;
use kvscope::weights::*;
use std::time::Instant;
fn main() {
    let gpu = Gpu::open_blocking(GpuOptions::default()).unwrap();
    let d = gpu.device().clone();
    let time = |name: &str, n: u32, f: &mut dyn FnMut()| {
        f();
        d.sync().unwrap();
        let t = Instant::now();
        for _ in 0..n {
            f();
        }
        d.sync().unwrap();
        println!("{name}: {:?}", t.elapsed() / n);
    };
    for (format, rows, width) in [
        (BlockFormat::Q4_1, 576, 576),
        (BlockFormat::Q4_1, 1536, 576),
        (BlockFormat::Q4_1, 576, 1536),
        (BlockFormat::Q8_0, 49152, 576),
    ] {
        let m = BlockMatrix::empty(
            MatrixShape {
                format,
                rows,
                width,
            },
            &d,
        )
        .unwrap();
        for tokens in [1, 39, 256] {
            if rows > 5000 && tokens > 1 {
                continue;
            }
            let x = Tensor::<2>::ones([tokens, width], &d);
            let macs = rows as f64 * width as f64 * tokens as f64;
            let t = {
                let f = &mut || {
                    m.product(x.clone()).unwrap();
                };
                f();
                d.sync().unwrap();
                let t = Instant::now();
                for _ in 0..5 {
                    f();
                }
                d.sync().unwrap();
                t.elapsed() / 5
            };
            println!(
                "{format:?} {rows}x{width} x{tokens}: {t:?}, {:.2} GMAC/s",
                macs / t.as_secs_f64() / 1e9
            );
        }
    }
    let x = Tensor::<2>::ones([1, 576], &d);
    let w = Tensor::<1>::ones([576], &d);
    time("rms_norm", 50, &mut || {
        rms_norm(x.clone(), w.clone(), 1e-5).unwrap();
    });
    time("add", 50, &mut || {
        let _ = x.clone() + x.clone();
    });
    let y = Tensor::<2>::ones([1, 1536], &d);
    time("silu mul", 50, &mut || {
        let _ = activation::silu(y.clone()) * y.clone();
    });
    for (n, ct) in [
        (39, CacheType::F16),
        (39, CacheType::F32),
        (256, CacheType::F16),
    ] {
        let mut c = ScopeCacheConfig::new(1, 9, 3, 64)
            .with_cache_type(ct)
            .init(&d)
            .unwrap();
        let q = Tensor::<3>::ones([9, n, 64], &d);
        let k = Tensor::<3>::ones([3, n, 64], &d);
        time(&format!("append {n} {ct:?}"), 3, &mut || {
            c.reset();
            c.append(0, q.clone(), k.clone(), k.clone()).unwrap();
        });
        c.finish_prefill(0).unwrap();
        let q = Tensor::<2>::ones([9, 64], &d);
        let k = Tensor::<2>::ones([3, 64], &d);
        time(&format!("step after {n} {ct:?}"), 20, &mut || {
            c.step(0, q.clone(), k.clone(), k.clone()).unwrap();
        });
    }
    for s in [64, 256] {
        let q = Tensor::<3>::ones([3, 3, 64], &d);
        let k = Tensor::<3>::ones([3, s, 64], &d);
        time(&format!("matmul qk {s}"), 20, &mut || {
            let _ = q.clone().matmul(k.clone().swap_dims(1, 2));
        });
        let p = Tensor::<3>::ones([3, 3, s], &d);
        time(&format!("matmul pv {s}"), 20, &mut || {
            let _ = p.clone().matmul(k.clone());
        });
        time(&format!("softmax {s}"), 20, &mut || {
            let _ = activation::softmax(p.clone(), 2);
        });
    }
}
