//! Memory is taken for the bytes that a file delivers, not for those that it announces. An
//! allocator counts it.

use kvscope::formats::safetensors::{
    MAX_HEADER_BYTES, SafetensorsEvent, SafetensorsIndex, SafetensorsReader,
};
use safetensors::tensor::Dtype;

use crate::support::counting::peak;
use crate::support::safetensors_file::{Tensor, entry, header, raw, written};

fn read(bytes: &[u8]) {
    let mut reader = SafetensorsReader::new(None);
    let mut input = bytes;
    while let Ok(Some(_)) = reader.push(&mut input) {}
    let _ = reader.finish();
}

#[test]
fn the_counter_counts() {
    let peak = peak(|| drop(vec![0_u8; 1 << 20]));
    assert!((1 << 20..2 << 20).contains(&peak), "{peak}");
}

#[test]
fn announcements_take_no_memory() {
    let length = |length: u64| [&length.to_le_bytes()[..], b"{\"a\":"].concat();
    for file in [
        length(MAX_HEADER_BYTES),
        length(u64::MAX),
        raw(
            header(&[entry("t", "F32", &[1 << 40], 0, 1 << 42)]),
            &[0; 200],
        ),
    ] {
        let peak = peak(|| read(&file));
        assert!(peak < 8 << 10, "{peak} bytes for {} delivered", file.len());
    }
}

/// The items that take most memory for their bytes: short names, long shapes, short pairs.
#[test]
fn memory_is_in_proportion_to_what_came() {
    let entries: Vec<_> = (0..20_000)
        .map(|i| entry(&format!("{i}"), "F16", &[1], 2 * i, 2 * i + 2))
        .collect();
    let pairs: Vec<_> = (0..60_000).map(|i| format!("\"{i}\":\"\"")).collect();
    let pairs = format!("{{\"__metadata__\":{{{}}}}}", pairs.join(","));
    let shape = vec![1; 500_000];
    for (text, times) in [
        (header(&entries), 12),
        (pairs, 12),
        (header(&[entry("t", "F16", &shape, 0, 2)]), 3),
        (header(&[entry(&"x".repeat(1 << 20), "F16", &[1], 0, 2)]), 6),
    ] {
        let file = raw(text, &[]);
        let peak = peak(|| read(&file));
        let most = times * file.len() + (64 << 10);
        assert!(peak < most, "{peak} bytes for {} delivered", file.len());
    }
}

#[test]
fn an_index_takes_memory_in_proportion_too() {
    let pairs: Vec<_> = (0..60_000)
        .map(|i| format!("\"{i}\":\"a.safetensors\""))
        .collect();
    let text = format!("{{\"weight_map\":{{{}}}}}", pairs.join(","));
    let peak = peak(|| drop(SafetensorsIndex::parse(text.as_bytes()).unwrap()));
    assert!(
        peak < 12 * text.len(),
        "{peak} bytes for {} delivered",
        text.len()
    );
}

/// Tensors pass through: what is held does not depend on their size.
#[test]
fn tensors_are_not_held() {
    let bytes = written(&[Tensor::new("t", Dtype::F32, &[4, 1 << 20], 0)], &[]);
    let mut seen = 0;
    let peak = peak(|| {
        let mut reader = SafetensorsReader::new(Some(bytes.len() as u64));
        for mut input in bytes.chunks(1 << 20) {
            while let Some(event) = reader.push(&mut input).unwrap() {
                if let SafetensorsEvent::Tensor { bytes, .. } = event {
                    seen += bytes.len();
                }
            }
        }
    });
    assert_eq!(seen, 16 << 20);
    assert!(peak < 64 << 10, "{peak}");
}
