//! Models in several files.

use kvscope::formats::safetensors::{
    SafetensorsFiles, SafetensorsHeader, SafetensorsIndex, SafetensorsSlice, shard_names,
};
use safetensors::tensor::Dtype;
use std::sync::Arc;

use crate::support::safetensors_file::{Tensor, written};

const INDEX: &str = r#"{
  "metadata": {"total_size": 12, "anything": [1, {"weight_map": 2}]},
  "weight_map": {
    "a": "model-00001-of-00002.safetensors",
    "c": "model-00002-of-00002.safetensors",
    "b": "model-00001-of-00002.safetensors"
  }
}"#;

fn part(names: &[&str]) -> Arc<SafetensorsHeader> {
    let tensors: Vec<_> = names
        .iter()
        .map(|name| Tensor::new(name, Dtype::F32, &[1], 0))
        .collect();
    SafetensorsSlice::new(&written(&tensors, &[]))
        .unwrap()
        .header
}

#[test]
fn an_index_lists_files_and_tensors() {
    let index = SafetensorsIndex::parse(INDEX.as_bytes()).unwrap();
    let names = shard_names("model-00001-of-00002.safetensors").unwrap();
    assert_eq!(index.files(), names);
    assert_eq!(index.tensors(), 3);
    assert_eq!((index.file_of("b"), index.file_of("c")), (Some(0), Some(1)));
    assert_eq!(index.file_of("d"), None);
    let empty = SafetensorsIndex::parse(br#"{"weight_map":{}}"#).unwrap();
    assert!(empty.files().is_empty());
}

#[test]
fn files_hold_what_the_index_says() {
    let index = SafetensorsIndex::parse(INDEX.as_bytes()).unwrap();
    let mut files = SafetensorsFiles::indexed(index.clone());
    assert_eq!(files.finish().unwrap_err().code(), "model-truncated");
    for (wrong, mentions) in [
        (part(&["a"]), "without tensor \"b\""),
        (part(&["a", "b", "c"]), "model-00002-of-00002.safetensors"),
        (part(&["c"]), "the place of tensor \"c\""),
    ] {
        let error = files.add(wrong).expect_err(mentions);
        assert_eq!(error.code(), "model-malformed");
        assert!(error.to_string().contains(mentions), "{error}");
    }
    // More than the index names does no harm.
    files.add(part(&["b", "d", "a"])).unwrap();
    assert!(!files.is_complete());
    files.add(part(&["c"])).unwrap();
    files.finish().unwrap();
    assert_eq!(files.find("b").map(|(file, _)| file), Some(0));
    assert_eq!(files.find("c").map(|(file, _)| file), Some(1));
    assert_eq!(files.find("d").map(|(file, _)| file), Some(0));
    assert!(files.add(part(&["d"])).is_err(), "one too many");
    assert_eq!(files.files().len(), 2);
}

#[test]
fn files_without_an_index_share_no_tensor() {
    let mut files = SafetensorsFiles::new(2);
    files.add(part(&["a", "b"])).unwrap();
    let error = files.add(part(&["c", "b"])).unwrap_err();
    assert_eq!(error.code(), "model-malformed");
    assert!(error.to_string().contains("\"b\""), "{error}");
    assert!(files.find("c").is_none(), "nothing of it was taken");
    assert_eq!(files.finish().unwrap_err().code(), "model-truncated");
    files.add(part(&["c"])).unwrap();
    files.finish().unwrap();
}

#[test]
fn indices_that_cannot_be() {
    for (text, mentions) in [
        ("", "wrong"),
        ("[1]", "wrong"),
        ("{}", "weight_map"),
        (r#"{"weight_map":{"a":1}}"#, "string"),
        (
            r#"{"weight_map":{"a":"x.safetensors","a":"x.safetensors"}}"#,
            "twice",
        ),
        (r#"{"weight_map":{},"weight_map":{}}"#, "duplicate field"),
        (r#"{"weight_map":{}} x"#, "trailing"),
    ] {
        let error = SafetensorsIndex::parse(text.as_bytes()).expect_err(mentions);
        assert_eq!(error.code(), "model-malformed");
        assert!(error.to_string().contains(mentions), "{error}");
        assert!(error.offset().unwrap() <= text.len() as u64);
    }
}

/// An index that somebody else wrote says which files are opened.
#[test]
fn an_index_leads_nowhere_else() {
    for file in [
        "../secret.safetensors",
        "/etc/x.safetensors",
        "a/b.safetensors",
        "a\\\\b.safetensors",
        "https://evil.example/x.safetensors",
        "C:x.safetensors",
        "x.safetensors?y.safetensors",
        "x#.safetensors",
        "%2e%2e%2fx.safetensors",
        ".safetensors",
        ".x.safetensors",
        "x\\u0000.safetensors",
        "model.bin",
        "",
    ] {
        let text = format!(r#"{{"weight_map":{{"a":"{file}"}}}}"#);
        let error = SafetensorsIndex::parse(text.as_bytes()).expect_err(file);
        assert!(error.to_string().contains("plain name"), "{error}");
    }
}

#[test]
fn names_of_a_set() {
    assert_eq!(
        shard_names("https://x.example/model-00002-of-00002.safetensors").unwrap(),
        [
            "https://x.example/model-00001-of-00002.safetensors",
            "https://x.example/model-00002-of-00002.safetensors",
        ]
    );
    for other in [
        "model.safetensors",
        "m-00003-of-00002.safetensors",
        "m-00001-of-00002.gguf",
    ] {
        assert_eq!(shard_names(other), None, "{other}");
    }
}
