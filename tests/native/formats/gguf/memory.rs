//! Announced bytes take no memory, only delivered ones do: measured with a counting allocator.

use kvscope::formats::gguf::{GgufEvent, GgufReader};

use crate::support::counting::peak;
use crate::support::gguf_file::{GgufFile, Raw, Value};

fn read(bytes: &[u8]) {
    let mut reader = GgufReader::new(None);
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
    let pair = || Raw::preamble(3, 65_536, 65_536).string("k");
    for raw in [
        Raw::preamble(3, 65_536, 65_536),
        Raw::preamble(3, u64::MAX, u64::MAX),
        // Within what a header may hold, so they are waited for.
        pair().u32(8).u64(30 << 20),
        pair().u32(9).u32(0).u64(30 << 20),
        pair().u32(9).u32(10).u64(3 << 20),
        pair().u32(9).u32(8).u64(3 << 20),
        pair().u32(9).u32(8).u64(u64::MAX),
        Raw::preamble(3, 65_536, 0).tensor("t", &[1 << 40, 1 << 10], 2, 0),
        Raw::preamble(3, 1, 0)
            .tensor("t", &[1 << 40, 1 << 10], 2, 0)
            .bytes(&[0; 200]),
    ] {
        let peak = peak(|| read(&raw.0));
        assert!(peak < 8 << 10, "{peak} bytes for {} delivered", raw.0.len());
    }
}

/// The items that take most memory for their bytes: short keys, short names, empty strings.
#[test]
fn memory_is_in_proportion_to_what_came() {
    let many = 20_000_u64;
    let pairs = (0..many).fold(Raw::preamble(3, 0, many), |raw, i| {
        raw.pair(&format!("{i}"), &Value::U8(0))
    });
    let tensors = (0..many).fold(Raw::preamble(3, many, 0), |raw, i| {
        raw.tensor(&format!("{i}"), &[1], 0, 32 * i)
    });
    let empty = Raw::preamble(3, 0, 1).pair("k", &Value::Array(8, vec![Value::text(""); 200_000]));
    let numbers = Raw::preamble(3, 0, 1).pair("k", &Value::Array(0, vec![Value::U8(0); 1_000_000]));
    let text = Raw::preamble(3, 0, 1).pair("k", &Value::text(&"x".repeat(1_000_000)));
    for (raw, times) in [
        (pairs, 20),
        (tensors, 20),
        (empty, 3),
        (numbers, 4),
        (text, 5),
    ] {
        let delivered = raw.0.len();
        let peak = peak(|| read(&raw.0));
        let most = times * delivered + (256 << 10);
        assert!(peak < most, "{peak} bytes for {delivered} delivered");
    }
}

/// Tensors pass through: what is held does not depend on their size.
#[test]
fn tensors_are_not_held() {
    let megabytes = 16;
    let file = GgufFile::new().with_tensor(
        "t",
        &[megabytes << 20],
        0,
        vec![0; (4 * megabytes as usize) << 20],
    );
    let bytes = file.bytes();
    let mut seen = 0;
    let peak = peak(|| {
        let mut reader = GgufReader::new(Some(bytes.len() as u64));
        for mut input in bytes.chunks(1 << 20) {
            while let Some(event) = reader.push(&mut input).unwrap() {
                if let GgufEvent::Tensor { bytes, .. } = event {
                    seen += bytes.len();
                }
            }
        }
    });
    assert_eq!(seen, file.tensors[0].bytes.len());
    assert!(peak < 256 << 10, "{peak}");
}
