//! Files that are wrong: malformed, truncated or hostile ones give an error that says where, never
//! a panic.

use kvscope::formats::TensorInfo;
use kvscope::formats::safetensors::{
    MAX_HEADER_BYTES, MAX_TENSORS, SafetensorsReader, SafetensorsSlice,
};

use crate::support::reading::safetensors::{outcome, read};
use crate::support::safetensors_file::{entry, header, raw};

const MALFORMED: &str = "model-malformed";
const UNSUPPORTED: &str = "model-unsupported";
const TRUNCATED: &str = "model-truncated";
/// Offset of the header's JSON.
const START: u64 = 8;

/// Asserts the kind and place of a file's error, with its length known or not, whole or in single
/// bytes.
fn refused(file: &[u8], code: &str, offset: u64, mentions: &str) {
    for (piece, file_bytes) in [(1, None), (usize::MAX, None), (7, Some(file.len() as u64))] {
        let error = outcome(file, piece, file_bytes).expect_err(mentions);
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(error.offset(), Some(offset), "{error}");
        assert!(
            error.to_string().contains(mentions),
            "{error} lacks {mentions}"
        );
    }
}

fn refused_header(text: &str, code: &str, offset: u64, mentions: &str) {
    refused(&raw(text, &[]), code, START + offset, mentions);
}

#[test]
fn lengths() {
    refused(b"<!DOCTYPE html>", MALFORMED, 0, "header's length");
    refused(b"GGUF\x03\0\0\0", MALFORMED, 0, "header's length");
    for length in [0, 1, MAX_HEADER_BYTES + 1, u64::MAX, u64::MAX - 7] {
        let file = [&length.to_le_bytes()[..], b"{}"].concat();
        refused(&file, MALFORMED, 0, "2 to 33554432");
    }
    refused(b"", TRUNCATED, 0, "8 bytes");
    refused(&[2, 0, 0], TRUNCATED, 3, "8 bytes");
    let file = [&9_u64.to_le_bytes()[..], b"{}"].concat();
    refused(&file, TRUNCATED, 10, "from byte 8 to byte 17");
}

#[test]
fn text_that_is_not_a_header() {
    refused_header("[]", MALFORMED, 0, "\"{\"");
    refused_header(" {}", MALFORMED, 0, "first byte");
    refused(&raw(b"\xffabc", &[]), MALFORMED, START, "\\xff");
    refused_header("{]", MALFORMED, 1, "wrong");
    refused_header("{} {}", MALFORMED, 3, "trailing");
    refused_header(r#"{"a":3}"#, MALFORMED, 5, "invalid type");
    refused_header(r#"{"a":{"dtype":"F32"}}"#, MALFORMED, 19, "missing field");
    let nul = raw(b"{\"a\xff\":1}", &[]);
    refused(&nul, MALFORMED, START + 3, "UTF-8");
    // In a member that is not read.
    let before = "{\"a\":{\"more\":\"";
    let after = "\",\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}";
    let unread = [before.as_bytes(), b"\xef", after.as_bytes()].concat();
    let at = START + before.len() as u64;
    refused(&raw(unread, &[0; 2]), MALFORMED, at, "UTF-8");
    for (field, mentions) in [
        (
            r#""dtype":3,"shape":[1],"data_offsets":[0,4]"#,
            "integer `3`",
        ),
        (
            r#""dtype":"F32","shape":[1.0],"data_offsets":[0,4]"#,
            "floating",
        ),
        (r#""dtype":"F32","shape":[-1],"data_offsets":[0,4]"#, "`-1`"),
        (
            r#""dtype":"F32","shape":1,"data_offsets":[0,4]"#,
            "array of dimensions",
        ),
        (
            r#""dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]"#,
            "floating",
        ),
        (
            r#""dtype":"F32","shape":[1],"data_offsets":[0]"#,
            "length 1",
        ),
        (
            r#""dtype":"F32","shape":[1],"data_offsets":[0,4,8]"#,
            "wrong",
        ),
        (
            r#""dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]"#,
            "duplicate field",
        ),
        (
            r#""dtype":"F32","data_offsets":[0,4]"#,
            "missing field `shape`",
        ),
    ] {
        let text = format!("{{\"a\":{{{field}}}}}");
        let error = outcome(&raw(&text, &[0; 4]), 3, None).expect_err(mentions);
        assert_eq!(error.code(), MALFORMED, "{error}");
        assert!(
            error.to_string().contains(mentions),
            "{error} lacks {mentions}"
        );
        let inside = START..START + text.len() as u64;
        assert!(inside.contains(&error.offset().unwrap()), "{error}");
    }
    // Deep enough to overflow the stack of a parser that recurses without a limit.
    let deep = format!("{{\"a\":{}", "[".repeat(1 << 20));
    let error = outcome(&raw(deep, &[]), usize::MAX, None).unwrap_err();
    assert_eq!(error.code(), MALFORMED);
}

#[test]
fn names() {
    let a = entry("a", "F32", &[1], 0, 4);
    let again = entry("a", "F32", &[1], 4, 8);
    let second = a.len() as u64 + 2;
    let twice = header(&[a.clone(), again]);
    refused_header(&twice, MALFORMED, second, "each name once");
    // The same name, written another way.
    let escaped = header(&[a.clone(), entry("\\u0061", "F32", &[1], 4, 8)]);
    refused_header(&escaped, MALFORMED, 0, "each name once");
    let empty = header(&[entry("", "F32", &[1], 0, 4)]);
    refused_header(&empty, MALFORMED, 1, "empty");
    let metadata = r#""__metadata__":{}"#.to_owned();
    let twice = header(&[metadata.clone(), metadata]);
    refused_header(&twice, MALFORMED, 19, "each name once");
    let twice = r#"{"__metadata__":{"k":"1","k":"2"}}"#;
    refused_header(twice, MALFORMED, 32, "\"k\" twice");
    refused_header(r#"{"__metadata__":{"k":1}}"#, MALFORMED, 21, "string");
    let many: Vec<_> = (0..=MAX_TENSORS as u64)
        .map(|i| entry(&format!("t{i}"), "F16", &[1], 2 * i, 2 * i + 2))
        .collect();
    let error = outcome(&raw(header(&many), &[]), usize::MAX, None).unwrap_err();
    assert!(error.to_string().contains("at most 65536"), "{error}");
}

/// A tensor that is there without being read: an error to those alone who need it.
fn unread(tensor: &TensorInfo, mentions: &str) {
    let error = tensor.format.clone().unwrap_err();
    assert_eq!(
        (error.code(), error.offset()),
        (UNSUPPORTED, Some(START + 1))
    );
    assert!(error.to_string().contains(mentions), "{error}");
}

#[test]
fn types_and_shapes() {
    let first = |text: String, bytes: usize| {
        let file = raw(text, &vec![0; bytes]);
        let tensor = SafetensorsSlice::new(&file)
            .unwrap()
            .header
            .tensors
            .get(0)
            .cloned();
        tensor.unwrap()
    };
    for dtype in ["I64", "BOOL", "F64", "F8_E4M3", "F16x", "f32", ""] {
        let tensor = first(header(&[entry("some.tensor", dtype, &[2], 0, 16)]), 16);
        assert_eq!((tensor.bytes, tensor.shape()), (16, vec![]));
        unread(&tensor, "F32, F16, BF16");
        unread(&tensor, "\"some.tensor\"");
    }
    for (shape, mentions) in [
        (&[][..], "[]"),
        (&[0, 2], "[0, 2]"),
        (&[2, 0], "none of them 0"),
        (&[1, 1, 1, 1, 1], "of 5 dimensions"),
    ] {
        unread(
            &first(header(&[entry("t", "F32", shape, 0, 4)]), 4),
            mentions,
        );
    }
    // Without bytes it has no place among the others, and keeps none waiting.
    let empty = [
        entry("a", "F16", &[1], 0, 2),
        entry("b", "F32", &[0], 2, 2),
        entry("c", "I8", &[], 2, 3),
        entry("d", "U8", &[0], 9, 9),
    ];
    let (_, streamed) = read(&raw(header(&empty), &[1, 2, 3]), &[1]).unwrap();
    assert_eq!(streamed, [&[1, 2][..], &[], &[3], &[]]);
    let backwards = header(&[entry("t", "I8", &[1], 4, 0)]);
    refused_header(&backwards, MALFORMED, 1, "two in order");
    let huge = 1 << 32;
    for shape in [&[huge, huge][..], &[1 << 62], &[u64::MAX, u64::MAX, 2, 2]] {
        let text = header(&[entry("t", "F32", shape, 0, 4)]);
        refused_header(&text, MALFORMED, 1, "fewer than 2^64");
    }
}

#[test]
fn offsets() {
    for (begin, end) in [(0, 3), (0, 5), (4, 0), (u64::MAX, 3), (0, u64::MAX)] {
        let text = header(&[entry("t", "F16", &[1, 2], begin, end)]);
        refused_header(&text, MALFORMED, 1, "4 apart");
    }
    let far = header(&[entry("t", "F16", &[2], u64::MAX - 4, u64::MAX)]);
    refused_header(&far, MALFORMED, 1, "inside a file");
    let data = [0; 32];
    let file = |entries: &[String], bytes: usize| raw(header(entries), &data[..bytes]);
    let late = [entry("t", "F32", &[1], 4, 8)];
    refused(&file(&late, 8), MALFORMED, START + 1, "no gap before it");
    let a = entry("a", "F32", &[2], 0, 8);
    let second = START + a.len() as u64 + 2;
    let gap = [a.clone(), entry("b", "F32", &[1], 12, 16)];
    refused(&file(&gap, 16), MALFORMED, second, "no gap before it");
    for (begin, end) in [(0, 4), (4, 8), (6, 10)] {
        let overlap = [a.clone(), entry("b", "F32", &[1], begin, end)];
        refused(&file(&overlap, 12), MALFORMED, second, "\"a\" ends");
    }
    let inside = [
        entry("b", "F32", &[1], 4, 8),
        entry("a", "F32", &[3], 0, 12),
    ];
    refused(&file(&inside, 12), MALFORMED, START + 1, "\"a\" ends");
}

#[test]
fn files_end_where_their_last_tensor_does() {
    let text = header(&[entry("t", "F32", &[2], 0, 8)]);
    let end = START + text.len() as u64 + 8;
    refused(&raw(&text, &[0; 7]), TRUNCATED, end - 1, "\"t\", from byte");
    refused(
        &raw(&text, &[0; 9]),
        MALFORMED,
        end,
        "after the last tensor",
    );
    refused(
        &raw("{}", &[0]),
        MALFORMED,
        START + 2,
        "after the last tensor",
    );
}

#[test]
fn errors_stay() {
    let mut reader = SafetensorsReader::new(None);
    let error = reader.push(&mut &b"nonsense"[..]).unwrap_err();
    assert_eq!(reader.push(&mut &b"{}"[..]), Err(error.clone()));
    assert_eq!(reader.finish(), Err(error));
    assert!(!reader.is_complete());
}

/// A file that must be long to be right is refused at its header when its length is known.
#[test]
fn a_known_length_is_checked_first() {
    let bytes = raw(header(&[entry("t", "F32", &[1 << 40], 0, 1 << 42)]), &[]);
    let mut reader = SafetensorsReader::new(Some(bytes.len() as u64 + 1000));
    let error = reader.push(&mut bytes.as_slice()).unwrap_err();
    assert_eq!(error.code(), TRUNCATED);
    assert!(error.to_string().contains("\"t\""), "{error}");
    let mut reader = SafetensorsReader::new(Some(100));
    let error = reader.push(&mut &93_u64.to_le_bytes()[..]).unwrap_err();
    assert_eq!((error.code(), error.offset()), (TRUNCATED, Some(100)));
}

/// Errors never repeat a file's text at length.
#[test]
fn errors_are_short() {
    let long = "x".repeat(100_000);
    for (name, dtype) in [(&long[..], "I64"), ("t", &long)] {
        let file = raw(header(&[entry(name, dtype, &[1], 0, 8)]), &[0; 8]);
        let slice = SafetensorsSlice::new(&file).unwrap();
        let error = slice
            .header
            .tensors
            .get(0)
            .unwrap()
            .format
            .clone()
            .unwrap_err();
        assert!(error.to_string().len() < 500, "{error}");
    }
    for text in [
        header(&[entry(&long, "F32", &[1], 0, 8)]),
        format!("{{\"t\":\"{long}\"}}"),
        format!("{{\"__metadata__\":{{\"{long}\":\"\",\"{long}\":\"\"}}}}"),
    ] {
        let error = outcome(&raw(text, &[]), usize::MAX, None).unwrap_err();
        assert!(error.to_string().len() < 500, "{error}");
    }
}
