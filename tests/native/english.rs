//! The English of comments: their width, their first words, and the length of their sentences.

use std::fs;
use std::path::{Path, PathBuf};

const FOLDERS: &[&str] = &[
    "src", "shaders", "tests", "xtask", "www/src", "pkg/src", "benches", "examples",
];

/// Folders of other tools, which git ignores.
const BUILT: &[&str] = &["target", "node_modules", "dist", "test-results"];

const KINDS: &[&str] = &["rs", "wgsl", "ts", "js", "mjs", "css", "py"];

/// Characters per line.
const WIDTH: usize = 100;

/// Begin and end of a text of several lines, or of a docstring.
const PYTHON_TEXT: &str = "\"\"\"";

/// Words per sentence of a doc comment.
const WORDS: usize = 20;

/// First words that put off the name of what a comment is about.
const LATE: &[&str] = &["What", "Whether", "How", "Where", "Who", "Which"];

/// Things that are counted, and things that they are counted for: "bytes per token".
const COUNTED: &[&str] = &[
    "tokens",
    "bytes",
    "slots",
    "rows",
    "elements",
    "words",
    "dispatches",
    "submissions",
    "kernels",
    "launches",
    "values",
    "sums",
    "multiply-adds",
];
const RATED: &[&str] = &[
    "second",
    "head",
    "layer",
    "token",
    "step",
    "row",
    "lane",
    "block",
    "group",
    "workgroup",
    "slot",
    "position",
    "thread",
    "prompt",
    "chunk",
    "shader",
];

#[test]
fn lines_are_at_most_100_characters() {
    refuse(|source| {
        let mut found = Vec::new();
        let mut before = "";
        let (mut in_text, mut in_doc) = (false, false);
        for (at, line) in (1..).zip(source.text.lines()) {
            let goes_on = in_text || source.is("rs") && before.ends_with('\\');
            let length = line.chars().count();
            if length > WIDTH && !goes_on && !is_unbreakable(source, line) {
                found.push((at, format!("{length} characters")));
            }
            before = line;
            in_text ^= source.is("ts") && line.matches('`').count() % 2 == 1;
            if source.is("py") && line.matches(PYTHON_TEXT).count() % 2 == 1 {
                let is_doc = in_doc || !in_text && line.trim_start().starts_with(PYTHON_TEXT);
                *(if is_doc { &mut in_doc } else { &mut in_text }) ^= true;
            }
        }
        found
    });
}

#[test]
fn doc_comments_begin_with_the_name_of_their_thing() {
    refuse(|source| {
        let comments = doc_comments(source).into_iter();
        let first = comments.filter_map(|comment| {
            let (at, paragraph) = comment.into_iter().next()?;
            let word = paragraph.split_whitespace().next()?.to_owned();
            LATE.contains(&word.as_str()).then_some((at, word))
        });
        first.collect()
    });
}

#[test]
fn sentences_of_doc_comments_have_at_most_20_words() {
    refuse(|source| {
        let paragraphs = doc_comments(source).into_iter().flatten();
        let sentences = paragraphs.flat_map(|(at, paragraph)| {
            let sentences = sentences(&paragraph).into_iter();
            sentences.map(move |sentence| (at, sentence))
        });
        let long = sentences.filter(|(_, sentence)| words(sentence) > WORDS);
        long.map(|(at, it)| (at, format!("{} words: {it}", words(&it))))
            .collect()
    });
}

#[test]
fn rates_are_told_with_per() {
    refuse(|source| {
        let mut found = Vec::new();
        for (at, line) in (1..).zip(source.text.lines()) {
            let Some(comment) = comment_of(source, line) else {
                continue;
            };
            let words: Vec<_> = comment.split_whitespace().collect();
            for (i, three) in words.windows(3).enumerate() {
                let [counted, a, rated] = three else {
                    continue;
                };
                // A clause is no rate: how many slots "a head holds".
                let is_clause = words.get(i + 3).is_some_and(|next| is_verb(next));
                let counted = counted.to_lowercase();
                let ended = rated.trim_end_matches([',', '.', ';', ':', ')']);
                let is_rate = COUNTED.contains(&counted.as_str()) && RATED.contains(&ended);
                if is_rate && *a == "a" && !(is_clause && ended == *rated) {
                    found.push((at, three.join(" ")));
                }
            }
        }
        found
    });
}

/// The test would pass if it read nothing, or saw no sentence.
#[test]
fn sentences_are_found() {
    let text = "/// One `a b. C` of two, see [three](x.html). Four\n/// five e.g. six? Seven\n///\n\
        /// - eight\n///   nine\n/// ```\n/// none\n/// ```\nfn x() {}\n/** Ten. */\n";
    let source = Source {
        path: PathBuf::from("x.rs"),
        text: text.to_owned(),
    };
    let comments = doc_comments(&source);
    let found: Vec<Vec<_>> = comments
        .iter()
        .map(|comment| comment.iter().flat_map(|(_, it)| sentences(it)).collect())
        .collect();
    assert_eq!(
        found,
        [
            vec![
                "One ` of two, see three.",
                "Four five e.g. six?",
                "Seven",
                "eight nine"
            ],
            vec!["Ten."]
        ]
    );
    assert_eq!(words("One ` of two, – x = 3."), 6);
    assert!(Source::all().len() > 400);
}

/// Fails with every place that `find` returns, line and reason.
fn refuse(find: impl Fn(&Source) -> Vec<(usize, String)>) {
    let mut report = Vec::new();
    for source in Source::all() {
        for (line, reason) in find(&source) {
            report.push(format!("{}:{line}: {reason}", source.path.display()));
        }
    }
    assert!(
        report.is_empty(),
        "{} places:\n{}",
        report.len(),
        report.join("\n")
    );
}

struct Source {
    /// Path from the checkout's root.
    path: PathBuf,
    text: String,
}

impl Source {
    fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        for folder in FOLDERS {
            collect(&root.join(folder), &mut files);
        }
        files.sort();
        let read = |path: PathBuf| Self {
            text: fs::read_to_string(&path).unwrap(),
            path: path.strip_prefix(root).unwrap().to_owned(),
        };
        files.into_iter().map(read).collect()
    }

    fn is(&self, kind: &str) -> bool {
        self.path.extension().is_some_and(|it| it == kind)
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str());
        if path.is_dir() {
            if !name.is_some_and(|name| BUILT.contains(&name) || name.starts_with('.')) {
                collect(&path, files);
            }
        } else if path
            .extension()
            .is_some_and(|kind| KINDS.iter().any(|it| kind == *it))
        {
            files.push(path);
        }
    }
}

/// A comment's paragraphs, each with its line.
type Comment = Vec<(usize, String)>;

/// The doc comments: runs of `///` or of `//!`, and `/** */`.
fn doc_comments(source: &Source) -> Vec<Comment> {
    let mut comments = Vec::new();
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut kind = "";
    let mut in_block = false;
    let lines = source.text.lines().chain([""]);
    for (at, line) in (1..).zip(lines) {
        let line = line.trim();
        let marks = if source.is("rs") {
            &["///", "//!"][..]
        } else {
            &[]
        };
        let mark = marks.iter().find(|mark| line.starts_with(**mark));
        let mark = mark.filter(|_| !line.starts_with("////"));
        let begins = !in_block && line.starts_with("/**");
        if (mark != Some(&kind) || begins) && !in_block && !open.is_empty() {
            comments.push(paragraphs(&open));
            open.clear();
        }
        if in_block || begins {
            let rest = line.strip_prefix("/**").unwrap_or(line);
            in_block = !rest.contains("*/");
            let rest = rest.split("*/").next().unwrap_or_default();
            let rest = rest.trim().trim_start_matches('*');
            open.push((at, rest.to_owned()));
            kind = "";
        } else if let Some(mark) = mark {
            kind = mark;
            open.push((at, line[mark.len()..].to_owned()));
        }
    }
    comments
}

/// Paragraphs, items of lists and tags among the lines of a comment.
///
/// Code, tables, headings and the addresses of links are left out.
fn paragraphs(lines: &[(usize, String)]) -> Comment {
    let mut paragraphs: Comment = Vec::new();
    let mut fenced = false;
    let mut ended = true;
    for (at, line) in lines {
        let code = line.starts_with("     ");
        let line = line.trim();
        if line.starts_with("```") {
            fenced = !fenced;
            ended = true;
            continue;
        }
        let address = line.starts_with('[') && line.contains("]: ");
        if fenced || code && ended || line.is_empty() || address || line.starts_with(['|', '#']) {
            ended = true;
            continue;
        }
        let number = line.strip_prefix(|it: char| it.is_ascii_digit());
        let item = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
        let item = item.or_else(|| number?.strip_prefix(". "));
        let begins = ended || item.is_some() || line.starts_with('@');
        let line = item.unwrap_or(line);
        match paragraphs.last_mut() {
            Some((_, text)) if !begins => {
                text.push(' ');
                text.push_str(line);
            }
            _ => paragraphs.push((*at, line.to_owned())),
        }
        ended = false;
    }
    paragraphs
}

/// The sentences of a paragraph, a code span as a single mark, a link as its text.
fn sentences(paragraph: &str) -> Vec<String> {
    let mut plain = String::new();
    for (i, part) in paragraph.split('`').enumerate() {
        plain.push_str(if i % 2 == 0 { part } else { "`" });
    }
    let mut text = String::new();
    let mut rest = plain.as_str();
    while let Some((before, after)) = rest.split_once("](") {
        text.push_str(before);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    let text = text.replace(['[', ']'], "");
    let mut sentences = Vec::new();
    let mut sentence: Vec<&str> = Vec::new();
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        sentence.push(word);
        let next = words.peek().and_then(|next| next.chars().next());
        let begins = |first: char| first.is_uppercase() || matches!(first, '`' | '"' | '“');
        let ends = word
            .trim_end_matches([')', '"', '”'])
            .ends_with(['.', '!', '?']);
        let short = matches!(word, "al." | "e.g." | "i.e." | "eq." | "sec.");
        if next.is_none() || ends && !short && next.is_some_and(begins) {
            sentences.push(sentence.join(" "));
            sentence.clear();
        }
    }
    sentences
}

/// Words, numbers and code spans of a sentence; not its signs.
fn words(sentence: &str) -> usize {
    let is_word = |word: &&str| word.contains(|it: char| it.is_alphanumeric() || it == '`');
    sentence.split_whitespace().filter(is_word).count()
}

/// The comment that `line` is or ends with.
fn comment_of<'a>(source: &Source, line: &'a str) -> Option<&'a str> {
    let line = line.trim_start();
    if line.starts_with("* ") && !source.is("rs") {
        return Some(line);
    }
    let at = match source.is("py") {
        true => line.find('#')?,
        false => line.find("//").or_else(|| line.find("/*"))?,
    };
    (at == 0 || line[..at].ends_with(' ')).then(|| &line[at..])
}

fn is_verb(word: &str) -> bool {
    let word = word.trim_end_matches([',', '.', ';', ':', ')']);
    word.ends_with('s') || matches!(word, "may" | "can" | "has" | "had" | "needs")
}

/// A line of code with a text or a pattern, which no formatter breaks, or a comment's address.
fn is_unbreakable(source: &Source, line: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with("//") || line.starts_with("* ") || line.starts_with("/*") {
        return line.contains("://") && line.split_whitespace().count() == 2;
    }
    !source.is("wgsl") && (line.contains(['"', '`']) || line.contains(" /"))
}
