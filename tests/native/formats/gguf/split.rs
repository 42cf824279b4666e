//! Models in several files.

use kvscope::formats::gguf::{GgufHeader, GgufSlice, SplitFiles, split_names};
use std::sync::Arc;

use crate::support::gguf_file::{GgufFile, Value};

fn part(number: u16, count: u16, tensors: i32, names: &[&str]) -> Arc<GgufHeader> {
    let file = GgufFile::new()
        .with("split.no", Value::U16(number))
        .with("split.count", Value::U16(count))
        .with("split.tensors.count", Value::I32(tensors));
    header(
        names
            .iter()
            .fold(file, |file, name| file.with_floats(name, &[1.0])),
    )
}

fn header(file: GgufFile) -> Arc<GgufHeader> {
    GgufSlice::new(&file.bytes()).unwrap().header
}

#[test]
fn files_in_order_are_a_model() {
    let mut files = SplitFiles::new();
    assert_eq!(files.finish().unwrap_err().code(), "model-truncated");
    // The first file may hold metadata only.
    files.add(part(0, 3, 3, &[])).unwrap();
    files.add(part(1, 3, 3, &["a", "b"])).unwrap();
    assert!(!files.is_complete());
    let error = files.finish().unwrap_err();
    assert_eq!(error.code(), "model-truncated");
    files.add(part(2, 3, 3, &["c"])).unwrap();
    files.finish().unwrap();
    assert!(files.is_complete());
    assert_eq!(files.find("b").map(|(file, _)| file), Some(1));
    assert_eq!(files.find("c").map(|(file, _)| file), Some(2));
    assert!(files.find("d").is_none());
}

#[test]
fn a_file_that_was_not_split_is_a_set_of_one() {
    for file in [
        GgufFile::new(),
        GgufFile::new().with("split.count", Value::U16(0)),
    ] {
        let mut files = SplitFiles::new();
        files.add(header(file.with_floats("a", &[1.0]))).unwrap();
        files.finish().unwrap();
    }
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let mut files = SplitFiles::new();
    assert!(files.add(part(1, 2, 2, &["a"])).is_err(), "not the first");
    assert!(files.add(part(2, 2, 2, &["a"])).is_err(), "no such file");
    files.add(part(0, 2, 2, &["a"])).unwrap();
    for (wrong, why) in [
        (part(0, 2, 2, &["b"]), "the first again"),
        (part(1, 3, 2, &["b"]), "another count of files"),
        (part(1, 2, 3, &["b"]), "another count of tensors"),
        (part(1, 2, 2, &["a"]), "a name twice"),
        (header(GgufFile::new()), "no part"),
    ] {
        let error = files.add(wrong).expect_err(why);
        assert_eq!(error.code(), "model-malformed", "{why}");
    }
    files.add(part(1, 2, 2, &["b", "c"])).unwrap();
    assert_eq!(files.finish().unwrap_err().code(), "model-malformed");
}

#[test]
fn numbers_that_cannot_be() {
    for (key, value) in [
        ("split.count", Value::I32(-1)),
        ("split.count", Value::U32(70_000)),
        ("split.no", Value::text("1")),
        ("split.no", Value::U16(1)),
    ] {
        let error = SplitFiles::new()
            .add(header(GgufFile::new().with(key, value.clone())))
            .unwrap_err();
        assert_eq!(error.code(), "model-malformed", "{key} {value:?}");
    }
}

#[test]
fn names_of_a_set() {
    assert_eq!(
        split_names("https://x.example/m-1b-00002-of-00003.gguf").unwrap(),
        [
            "https://x.example/m-1b-00001-of-00003.gguf",
            "https://x.example/m-1b-00002-of-00003.gguf",
            "https://x.example/m-1b-00003-of-00003.gguf",
        ]
    );
    for other in [
        "model.gguf",
        "m-00000-of-00003.gguf",
        "m-00004-of-00003.gguf",
        "m-1-of-3.gguf",
        "m-00001-of-99999.gguf",
        "m-00001-of-00003.safetensors",
        "m-+0001-of-00003.gguf",
    ] {
        assert_eq!(split_names(other), None, "{other}");
    }
}
