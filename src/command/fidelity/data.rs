//! Examples from files.

use std::fs;
use std::path::{Path, PathBuf};

use kvscope::engine::{Engine, Prompt};
use kvscope::eval::Example;
use kvscope::text::{Controls, Message};
use serde::Deserialize;

use crate::command::failure::Failure;

/// A file's examples.
pub struct DataFile {
    pub path: PathBuf,
    /// Name without folders.
    pub name: String,
    pub checksum: u32,
    pub lines: Vec<Line>,
}

/// One example as a file has it.
#[derive(Deserialize)]
pub struct Line {
    prompt: String,
    /// The gold answer.
    answer: Option<String>,
    /// Questions of the prompt, with a gold answer to each, as LongGenBench has them.
    #[serde(default)]
    questions: Vec<String>,
    #[serde(default)]
    answers: Vec<String>,
}

/// The files in `paths`, and those of the folders in it, by name.
pub fn read(paths: &[PathBuf]) -> Result<Vec<DataFile>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(read_file(path)?);
            continue;
        }
        let mut entries = entries(path)?;
        entries.retain(|path| path.extension().is_some_and(|it| it == "jsonl"));
        if entries.is_empty() {
            return Err(unusable(path, "there is no .jsonl file in this folder"));
        }
        for path in &entries {
            files.push(read_file(path)?);
        }
    }
    for (number, file) in files.iter().enumerate() {
        if files[..number].iter().any(|other| other.name == file.name) {
            return Err(unusable(&file.path, "another file has this name too"));
        }
    }
    Ok(files)
}

/// Entries of a folder, by name.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).and_then(|entries| {
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths.collect::<Result<Vec<_>, _>>()
    });
    let mut entries = entries.map_err(|error| unusable(folder, error))?;
    entries.sort();
    Ok(entries)
}

fn read_file(path: &Path) -> Result<DataFile, Failure> {
    let text = fs::read_to_string(path).map_err(|error| unusable(path, error))?;
    let mut lines = Vec::new();
    for (number, text) in text.lines().enumerate() {
        if text.trim().is_empty() {
            continue;
        }
        let place = |reason: String| unusable(path, format!("line {}: {reason}", number + 1));
        let line: Line = serde_json::from_str(text).map_err(|error| place(error.to_string()))?;
        line.gold().map_err(place)?;
        lines.push(line);
    }
    if lines.is_empty() {
        return Err(unusable(path, "there are no examples in it"));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(DataFile {
        path: path.to_owned(),
        name: name.into_owned(),
        checksum: crc32fast::hash(text.as_bytes()),
        lines,
    })
}

pub fn unusable(path: &Path, reason: impl ToString) -> Failure {
    Failure::Data {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

impl Line {
    /// The example's tokens; the answer's at most `most`.
    pub fn example(
        &self,
        engine: &Engine,
        raw: bool,
        most: Option<usize>,
    ) -> Result<Example, Failure> {
        let prompt = if raw {
            Prompt::Text(self.prompt.clone())
        } else {
            Prompt::Chat(vec![Message::new("user", self.prompt.clone())])
        };
        let prompt = engine.encode(&prompt)?;
        // `gold` succeeded when the file was read.
        let gold = self.gold().unwrap_or_default();
        let answer = engine.tokenizer().encode(&gold, Controls::AsText);
        let mut answer = answer.map_err(kvscope::Error::from)?;
        answer.truncate(most.unwrap_or(usize::MAX));
        Ok(Example { prompt, answer })
    }

    /// The gold answer, or the reason that there is none.
    ///
    /// LongGenBench's prompts show some questions with their answers, go on with the others and
    /// number all of them. The gold answer answers the others in the way of the first: `Answer_9:`,
    /// the solution without GSM8K's calculator marks, `The answer is 18.`
    fn gold(&self) -> Result<String, String> {
        if let Some(answer) = &self.answer {
            return Ok(answer.clone());
        }
        if self.answers.is_empty() || self.answers.len() != self.questions.len() {
            return Err("there is neither an `answer` nor an answer to each of `questions`".into());
        }
        let asked = self.prompt.matches("Question_").count();
        let shown = asked.checked_sub(self.questions.len());
        let shown = shown.ok_or("the prompt asks fewer than there are `questions`")?;
        let answers = self.answers.iter().enumerate();
        let answers = answers.map(|(number, answer)| {
            format!("Answer_{}:\n{}\n", shown + number + 1, solution(answer))
        });
        Ok(answers.collect::<Vec<_>>().join("\n"))
    }
}

/// Removes `<<2*9=18>>`, spells out `#### 18`, and turns a letter alone into a choice.
fn solution(answer: &str) -> String {
    if let [letter] = answer.as_bytes()
        && letter.is_ascii_uppercase()
    {
        return format!("The answer is ({answer}).");
    }
    let mut text = String::new();
    let mut rest = answer;
    while let Some((before, after)) = rest.split_once("<<") {
        text.push_str(before);
        rest = match after.split_once(">>") {
            Some((_, after)) => after,
            None => after,
        };
    }
    text.push_str(rest);
    match text.rsplit_once("#### ") {
        Some((steps, result)) => format!("{steps}The answer is {}.", result.trim()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gold(json: &str) -> Result<String, String> {
        serde_json::from_str::<Line>(json).unwrap().gold()
    }

    #[test]
    fn gold_answers_are_in_the_prompts_format() {
        let line = r####"{"prompt": "Question_1: a Answer_1: b Question_2: c Question_3: d", "questions": ["c", "d"],
            "answers": ["It is 2 * 9 = $<<2*9=18>>18.\n#### 18", "E"]}"####;
        let expected =
            "Answer_2:\nIt is 2 * 9 = $18.\nThe answer is 18.\n\nAnswer_3:\nThe answer is (E).\n";
        assert_eq!(gold(line).unwrap(), expected);
        assert_eq!(gold(r#"{"prompt": "a", "answer": "b"}"#).unwrap(), "b");
    }

    #[test]
    fn lines_without_an_answer_are_refused() {
        for line in [
            r#"{"prompt": "a"}"#,
            r#"{"prompt": "a", "questions": ["b"], "answers": []}"#,
            r#"{"prompt": "Question_1", "questions": ["a", "b"], "answers": ["c", "d"]}"#,
        ] {
            assert!(gold(line).is_err(), "{line}");
        }
    }
}
