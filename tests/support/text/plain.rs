//! Slow, plain tokenizers: regular expressions by trying everything, merges by looking at every
//! pair again.

/// Class of a character, for the characters that the tests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Upper,
    Lower,
    OtherLetter,
    Mark,
    Number,
    Break,
    Space,
    Other,
}
use Class::*;

/// Characters of every class, from several scripts, by the Unicode Character Database.
pub const CHARACTERS: [(char, Class); 44] = [
    ('a', Lower),
    ('b', Lower),
    ('s', Lower),
    ('t', Lower),
    ('r', Lower),
    ('e', Lower),
    ('v', Lower),
    ('m', Lower),
    ('l', Lower),
    ('d', Lower),
    ('S', Upper),
    ('L', Upper),
    ('R', Upper),
    ('E', Upper),
    ('A', Upper),
    ('é', Lower),
    ('É', Upper),
    ('ß', Lower),
    ('ﬁ', Lower),
    ('Ж', Upper),
    ('ǅ', Upper),       // title case
    ('ʰ', OtherLetter), // modifier
    ('日', OtherLetter),
    ('ـ', OtherLetter),
    ('\u{0301}', Mark),
    ('\u{0903}', Mark),
    ('0', Number),
    ('7', Number),
    ('٣', Number),
    ('Ⅷ', Number),
    ('½', Number),
    ('²', Number),
    ('\n', Break),
    ('\r', Break),
    (' ', Space),
    ('\t', Space),
    ('\u{a0}', Space),
    ('\u{3000}', Space),
    ('\'', Other),
    ('!', Other),
    ('/', Other),
    ('😀', Other),
    ('\u{200d}', Other),
    ('€', Other),
];

fn class(character: char) -> Class {
    let known = CHARACTERS.iter().find(|(known, _)| *known == character);
    known.unwrap_or_else(|| panic!("{character:?}")).1
}

/// One thing that a pattern asks for.
#[derive(Clone, Copy)]
enum Item {
    /// From so many to so many characters, as many as can be.
    Some(fn(char) -> bool, usize, usize),
    /// A character, in either case if so.
    Exact(char, bool),
    /// No character that is not white space comes next.
    NoText,
}

const ANY: usize = usize::MAX;

/// The end of the first way to match, the way that takes most first.
fn matched(text: &[char], at: usize, items: &[Item]) -> Option<usize> {
    let Some((item, rest)) = items.split_first() else {
        return Some(at);
    };
    let next = text.get(at).copied();
    match *item {
        Item::NoText => match next {
            Some(next) if !white(next) => None,
            _ => matched(text, at, rest),
        },
        Item::Exact(wanted, either) => {
            let same = |next: char| next == wanted || either && next.to_lowercase().eq([wanted]);
            matched(text, next.filter(|&next| same(next)).map(|_| at + 1)?, rest)
        }
        Item::Some(is, least, most) => {
            let there = text[at..].iter().take_while(|&&c| is(c)).count().min(most);
            (least..=there)
                .rev()
                .find_map(|count| matched(text, at + count, rest))
        }
    }
}

fn white(c: char) -> bool {
    matches!(class(c), Break | Space)
}
fn letter(c: char) -> bool {
    matches!(class(c), Upper | Lower | OtherLetter)
}
fn number(c: char) -> bool {
    class(c) == Number
}
fn other(c: char) -> bool {
    !white(c) && !letter(c) && !number(c)
}
fn line_break(c: char) -> bool {
    class(c) == Break
}
fn line_break_or_slash(c: char) -> bool {
    line_break(c) || c == '/'
}
fn space(c: char) -> bool {
    c == ' '
}
fn before_word(c: char) -> bool {
    !line_break(c) && !letter(c) && !number(c)
}
fn capital(c: char) -> bool {
    matches!(class(c), Upper | OtherLetter | Mark)
}
fn small(c: char) -> bool {
    matches!(class(c), Lower | OtherLetter | Mark)
}

/// The rules by which text is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Gpt2,
    /// GPT-2's, after every digit is cut off.
    Digits,
    Llama3,
    Qwen2,
    Tekken,
}

fn patterns(cut: Cut) -> Vec<Vec<Item>> {
    use Item::{Exact, NoText, Some};
    let either = cut != Cut::Gpt2;
    let contractions = ["s", "t", "re", "ve", "m", "ll", "d"].map(|end| {
        let end = end.chars().map(|c| Exact(c, either));
        [Exact('\'', false)].into_iter().chain(end).collect()
    });
    let mut patterns: Vec<Vec<Item>> = contractions.to_vec();
    let maybe_space = Some(space, 0, 1);
    let maybe_before = Some(before_word, 0, 1);
    match cut {
        Cut::Gpt2 | Cut::Digits => patterns.extend([
            vec![maybe_space, Some(letter, 1, ANY)],
            vec![maybe_space, Some(number, 1, ANY)],
            vec![maybe_space, Some(other, 1, ANY)],
        ]),
        Cut::Llama3 | Cut::Qwen2 => patterns.extend([
            vec![maybe_before, Some(letter, 1, ANY)],
            vec![Some(number, 1, if cut == Cut::Llama3 { 3 } else { 1 })],
            vec![maybe_space, Some(other, 1, ANY), Some(line_break, 0, ANY)],
            vec![Some(white, 0, ANY), Some(line_break, 1, ANY)],
        ]),
        Cut::Tekken => {
            patterns = vec![
                vec![maybe_before, Some(capital, 0, ANY), Some(small, 1, ANY)],
                vec![maybe_before, Some(capital, 1, ANY), Some(small, 0, ANY)],
                vec![Some(number, 1, 1)],
                vec![
                    maybe_space,
                    Some(other, 1, ANY),
                    Some(line_break_or_slash, 0, ANY),
                ],
                vec![Some(white, 0, ANY), Some(line_break, 1, ANY)],
            ];
        }
    }
    patterns.extend([vec![Some(white, 1, ANY), NoText], vec![Some(white, 1, ANY)]]);
    patterns
}

/// A text cut into words: at each place by the first pattern that matches.
pub fn words(text: &str, cut: Cut) -> Vec<String> {
    if cut == Cut::Digits {
        let mut pieces = vec![String::new()];
        for character in text.chars() {
            if number(character) {
                pieces.extend([character.to_string(), String::new()]);
            } else if let Some(last) = pieces.last_mut() {
                last.push(character);
            }
        }
        let pieces = pieces.iter();
        return pieces.flat_map(|piece| words(piece, Cut::Gpt2)).collect();
    }
    let text: Vec<char> = text.chars().collect();
    let patterns = patterns(cut);
    let (mut at, mut words) = (0, Vec::new());
    while at < text.len() {
        let ends = patterns
            .iter()
            .filter_map(|items| matched(&text, at, items));
        // What no pattern matches is a word by itself up to the next that does.
        let end = ends
            .into_iter()
            .next()
            .expect("every character is of some class");
        words.push(text[at..end].iter().collect());
        at = end;
    }
    words
}

/// Merges what `rank` says, lowest first, from the left.
pub fn merged(pieces: Vec<String>, rank: impl Fn(&str, &str) -> Option<usize>) -> Vec<String> {
    let mut pieces = pieces;
    loop {
        let pairs = pieces.windows(2).enumerate();
        let ranked = pairs.filter_map(|(at, pair)| Some((rank(&pair[0], &pair[1])?, at)));
        let Some((_, at)) = ranked.min() else {
            return pieces;
        };
        let right = pieces.remove(at + 1);
        pieces[at] += &right;
    }
}
