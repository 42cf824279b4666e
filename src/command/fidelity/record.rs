//! Results in a file that a later run continues.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use kvscope::cache::CacheTypes;
use kvscope::eval::Outcome;
use serde::{Deserialize, Serialize};

use super::data::{DataFile, entries, unusable};
use crate::command::arguments::{FidelityArguments, Place};
use crate::command::failure::Failure;
use crate::command::file;
use crate::command::policies::Compared;

/// Inputs that the numbers depend on: results of different identities must not be combined.
#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// Files of the model: name, bytes, CRC-32.
    pub model: Vec<(String, u64, u32)>,
    /// Files of examples: name, CRC-32.
    pub data: Vec<(String, u32)>,
    /// Names of the policies, which include their budgets, except the shares below.
    pub policies: Vec<String>,
    pub prefill_share: f32,
    pub recent_share: Vec<f32>,
    /// Types of keys and values.
    pub cache_type: Vec<CacheTypes>,
    pub max_answer: Option<usize>,
    pub raw: bool,
    /// `cpu` or `gpu`.
    pub device: String,
}

/// One example under every policy, in the order of the identity's.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Measured {
    /// Name of its file.
    pub data: String,
    /// Index in the file, from 0.
    pub example: usize,
    pub prompt_tokens: usize,
    pub answer_tokens: usize,
    /// Duration.
    pub seconds: f64,
    pub outcomes: Vec<Outcome>,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    pub identity: Identity,
    /// The adapter that ran it, or a note that the CPU did.
    pub adapter: String,
    /// Time of the last example, in seconds since 1970.
    pub finished: u64,
    pub examples: Vec<Measured>,
    /// For reading: by file of examples, and over `all` of them. Computed anew from `examples` each
    /// time.
    pub summary: BTreeMap<String, Vec<super::summary::Row>>,
}

impl Identity {
    pub fn new(
        arguments: &FidelityArguments,
        data: &[DataFile],
        policies: &[Compared],
    ) -> Result<Self, Failure> {
        let device = match arguments.device {
            Place::Cpu => "cpu",
            Place::Gpu => "gpu",
        };
        let data = data.iter().map(|file| (file.name.clone(), file.checksum));
        Ok(Self {
            model: model(&arguments.model)?,
            data: data.collect(),
            policies: policies.iter().map(|it| it.name.clone()).collect(),
            prefill_share: arguments.policies.prefill_share.0,
            recent_share: arguments
                .policies
                .recent_share
                .iter()
                .map(|share| share.0)
                .collect(),
            cache_type: arguments.policies.types(),
            max_answer: arguments.max_answer,
            raw: arguments.raw,
            device: device.to_owned(),
        })
    }

    /// First field in which `other` differs.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        let fields = [
            ("another model", self.model == other.model),
            ("other examples", self.data == other.data),
            ("other policies", self.policies == other.policies),
            (
                "another --prefill-share",
                self.prefill_share == other.prefill_share,
            ),
            (
                "another --recent-share",
                self.recent_share == other.recent_share,
            ),
            ("other cache types", self.cache_type == other.cache_type),
            ("another --max-answer", self.max_answer == other.max_answer),
            ("prompts with or without --raw", self.raw == other.raw),
            ("another --device", self.device == other.device),
        ];
        let different = fields.into_iter().find(|(_, same)| !same);
        different.map(|(name, _)| name)
    }
}

/// The file at `path`, or all files of the folder there.
fn model(path: &Path) -> Result<Vec<(String, u64, u32)>, Failure> {
    let mut paths = vec![path.to_owned()];
    if path.is_dir() {
        paths = entries(path)?;
        paths.retain(|path| path.is_file());
    }
    let mut files = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (bytes, checksum) = checksum(&path).map_err(|error| unusable(&path, error))?;
        files.push((name.into_owned(), bytes, checksum));
    }
    Ok(files)
}

/// A file's bytes and CRC-32, read a piece at a time: it may be larger than memory.
fn checksum(path: &Path) -> std::io::Result<(u64, u32)> {
    let mut file = fs::File::open(path)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut piece = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let count = std::io::Read::read(&mut file, &mut piece)?;
        if count == 0 {
            return Ok((bytes, hasher.finalize()));
        }
        hasher.update(&piece[..count]);
        bytes += count as u64;
    }
}

impl Record {
    /// Reads the record at `path`, if there is one, for a run of `identity`.
    pub fn open(path: Option<&Path>, identity: Identity) -> Result<Self, Failure> {
        let new = |identity| Self {
            identity,
            adapter: String::new(),
            finished: 0,
            examples: Vec::new(),
            summary: BTreeMap::new(),
        };
        let Some(path) = path else {
            return Ok(new(identity));
        };
        let refused = |reason: String| Failure::Resume {
            path: path.to_owned(),
            reason,
        };
        let text = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(new(identity)),
            text => text.map_err(|error| refused(error.to_string()))?,
        };
        let record: Self = serde_json::from_slice(&text)
            .map_err(|error| refused(format!("it is no record of a fidelity run: {error}")))?;
        if let Some(difference) = identity.difference(&record.identity) {
            return Err(refused(format!("it is of {difference}")));
        }
        let policies = identity.policies.len();
        if record
            .examples
            .iter()
            .any(|it| it.outcomes.len() != policies)
        {
            return Err(refused("an example in it lacks a policy".to_owned()));
        }
        Ok(record)
    }

    pub fn has(&self, data: &str, example: usize) -> bool {
        let mut examples = self.examples.iter();
        examples.any(|it| it.data == data && it.example == example)
    }

    /// Writes it atomically: after any failure there is the old file or the new one.
    pub fn write(&self, path: Option<&Path>) -> Result<(), Failure> {
        let Some(path) = path else {
            return Ok(());
        };
        file::replace_json(path, self).map_err(Failure::Output)
    }
}
