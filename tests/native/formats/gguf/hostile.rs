//! Malformed, truncated and hostile GGUF files: an error that says where, never a panic.

use kvscope::formats::gguf::{GgufReader, MAX_HEADER_BYTES};

use crate::support::gguf_file::{Raw, Value};
use crate::support::reading::gguf::outcome;

/// The preamble's length: what comes after it begins here.
const PREAMBLE: u64 = 24;

/// Asserts the kind and place of a file's error, with its length known or not, whole or in single
/// bytes.
fn refused(raw: Raw, code: &str, offset: u64, mentions: &str) {
    for (piece, file_bytes) in [(1, None), (usize::MAX, None), (7, Some(raw.0.len() as u64))] {
        let error = outcome(&raw.0, piece, file_bytes).expect_err(mentions);
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(error.offset(), Some(offset), "{error}");
        assert!(
            error.to_string().contains(mentions),
            "{error} lacks {mentions}"
        );
    }
}

#[test]
fn preambles() {
    let malformed = "model-malformed";
    refused(
        Raw::default().bytes(b"<!DOCTYPE html>"),
        malformed,
        0,
        "<!DO",
    );
    refused(
        Raw::default().bytes(b"GGML\x03\0\0\0"),
        malformed,
        0,
        "GGUF",
    );
    let unsupported = "model-unsupported";
    refused(Raw::preamble(1, 0, 0), unsupported, 4, "versions 2 and 3");
    refused(Raw::preamble(4, 0, 0), unsupported, 4, "versions 2 and 3");
    refused(Raw::preamble(3 << 24, 0, 0), unsupported, 4, "big-endian");
    refused(
        Raw::preamble(3, u64::MAX, 0),
        malformed,
        8,
        "count of tensors",
    );
    refused(Raw::preamble(3, 65_537, 0), malformed, 8, "at most 65536");
    refused(
        Raw::preamble(3, 0, u64::MAX),
        malformed,
        16,
        "count of metadata",
    );
}

#[test]
fn metadata() {
    let malformed = "model-malformed";
    let raw = || Raw::preamble(3, 0, 1);
    refused(
        raw().u64(65_536).bytes(b"k"),
        malformed,
        PREAMBLE,
        "at most 65535 bytes",
    );
    refused(raw().u64(u64::MAX), malformed, PREAMBLE, "metadata key");
    refused(raw().string(""), malformed, PREAMBLE, "empty");
    let not_utf8 = raw().u64(4).bytes(b"ab\xffd");
    refused(not_utf8, malformed, PREAMBLE + 8 + 2, "UTF-8");
    refused(raw().string("k").u32(13), malformed, PREAMBLE + 9, "\"k\"");
    let two = raw().string("k").u32(7).bytes(&[2]);
    refused(two, malformed, PREAMBLE + 13, "0 or 1");
    let twice = Raw::preamble(3, 0, 2)
        .pair("k", &Value::U8(1))
        .pair("k", &Value::U8(1));
    refused(twice, malformed, PREAMBLE + 14, "each key once");
    let nested = raw().string("k").u32(9).u32(9).u64(1);
    refused(
        nested,
        "model-unsupported",
        PREAMBLE + 13,
        "array of arrays",
    );
    let text = |length| raw().string("k").u32(8).u64(length);
    refused(text(u64::MAX), malformed, PREAMBLE + 13, "\"k\"");
    refused(
        text(MAX_HEADER_BYTES),
        malformed,
        PREAMBLE + 13 + 8,
        "\"k\"",
    );
    // An array whose elements together, or whose size in bytes, can't be.
    for (element, length) in [
        (0, MAX_HEADER_BYTES),
        (8, MAX_HEADER_BYTES / 8),
        (10, u64::MAX / 8 + 2),
    ] {
        let raw = raw().string("k").u32(9).u32(element).u64(length);
        refused(raw, malformed, PREAMBLE + 13 + 12, "\"k\"");
    }
    for (alignment, mentions) in [
        (Value::U32(0), "power of two"),
        (Value::U32(48), "power of two"),
        (Value::U64(1 << 32), "power of two"),
        (Value::text("32"), "an integer"),
    ] {
        let raw = raw().pair("general.alignment", &alignment);
        refused(raw, malformed, PREAMBLE + 8 + 17 + 4, mentions);
    }
}

#[test]
fn directories() {
    let malformed = "model-malformed";
    let raw = || Raw::preamble(3, 1, 0);
    refused(raw().u64(65), malformed, PREAMBLE, "at most 64 bytes");
    refused(raw().string("").u32(1), malformed, PREAMBLE, "empty");
    let after_name = PREAMBLE + 9;
    refused(raw().string("t").u32(0), malformed, after_name, "1 to 4");
    refused(raw().string("t").u32(5), malformed, after_name, "1 to 4");
    refused(
        raw().string("t").u32(u32::MAX),
        malformed,
        after_name,
        "1 to 4",
    );
    let type_at = after_name + 4 + 8;
    let unsupported = "model-unsupported";
    refused(
        raw().tensor("t", &[256], 16, 0),
        unsupported,
        type_at,
        "IQ2_XXS",
    );
    refused(
        raw().tensor("t", &[256], 26, 0),
        unsupported,
        type_at,
        "I32, kvscope reads F32, F16",
    );
    refused(raw().tensor("t", &[256], 77, 0), unsupported, type_at, "77");
    refused(
        raw().tensor("t", &[0], 0, 0),
        malformed,
        PREAMBLE,
        "no dimension of 0",
    );
    refused(
        raw().tensor("t", &[33, 32], 2, 0),
        malformed,
        PREAMBLE,
        "multiple of 32",
    );
    refused(
        raw().tensor("t", &[128, 2], 12, 0),
        malformed,
        PREAMBLE,
        "multiple of 256",
    );
    let huge = 1 << 32;
    refused(
        raw().tensor("t", &[huge, huge], 0, 0),
        malformed,
        PREAMBLE,
        "fewer than 2^64",
    );
    refused(
        raw().tensor("t", &[1 << 62], 0, 0),
        malformed,
        PREAMBLE,
        "fewer than 2^64",
    );
    refused(
        raw().tensor("t", &[1], 0, 31),
        malformed,
        PREAMBLE,
        "multiple of the alignment",
    );
    let far = u64::MAX - 31;
    refused(
        raw().tensor("t", &[1], 0, far),
        malformed,
        PREAMBLE,
        "leaves room",
    );
    let entry = 8 + 1 + 4 + 8 + 4 + 8;
    let two = || Raw::preamble(3, 2, 0);
    let twice = two().tensor("t", &[1], 0, 0).tensor("t", &[1], 0, 32);
    refused(twice, malformed, PREAMBLE + entry, "each name once");
    let same = two().tensor("t", &[1], 0, 0).tensor("u", &[1], 0, 0);
    refused(same, malformed, PREAMBLE + entry, "\"t\" ends");
    let inside = two().tensor("t", &[1], 0, 32).tensor("u", &[9], 0, 0);
    refused(inside, malformed, PREAMBLE, "\"u\" ends");
}

#[test]
fn errors_stay() {
    let mut reader = GgufReader::new(None);
    let error = reader.push(&mut &b"nonsense"[..]).unwrap_err();
    assert_eq!(reader.push(&mut &b"GGUF"[..]), Err(error.clone()));
    assert_eq!(reader.finish(), Err(error));
}

/// A file that must be long to be right is refused at its header when its length is known.
#[test]
fn a_known_length_is_checked_first() {
    let raw = Raw::preamble(3, 1, 0).tensor("t", &[1 << 40], 0, 0);
    let header = raw.0.len();
    let mut reader = GgufReader::new(Some(header as u64 + 1000));
    let error = reader.push(&mut raw.0.as_slice()).unwrap_err();
    assert_eq!(error.code(), "model-truncated");
    assert!(error.to_string().contains("\"t\""), "{error}");
    let mut reader = GgufReader::new(Some(100));
    let raw = Raw::preamble(3, 0, 1).string("k").u32(9).u32(0).u64(80);
    let error = reader.push(&mut raw.0.as_slice()).unwrap_err();
    assert_eq!(
        (error.code(), error.offset()),
        ("model-truncated", Some(100))
    );
}
