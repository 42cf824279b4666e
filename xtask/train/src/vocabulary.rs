//! The model's tokens: the characters of prompts and answers, one each, and the marks around them.

/// Begins every sequence.
pub const BOS: u32 = 1;
/// Ends an answer.
pub const EOS: u32 = 2;
/// Any character that is not the task's.
pub const UNKNOWN: u32 = 0;
/// Spellings of the marks, by number.
pub const MARKS: [&str; 3] = ["<unk>", "<s>", "</s>"];
/// Every character that has a token, in the order of their numbers, after the marks.
const CHARACTERS: &str = "0123456789+-*=;>abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Number of tokens.
pub fn size() -> usize {
    MARKS.len() + CHARACTERS.len()
}

/// The spelling of every token.
pub fn spellings() -> impl Iterator<Item = String> {
    let marks = MARKS.into_iter().map(str::to_owned);
    marks.chain(CHARACTERS.chars().map(String::from))
}

/// The token of a character.
pub fn token(character: char) -> u32 {
    // The characters are ASCII: a place in bytes is one in characters.
    match CHARACTERS.find(character) {
        Some(place) => (MARKS.len() + place) as u32,
        None => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_has_a_token_of_its_own_spelling() {
        let spellings: Vec<String> = spellings().collect();
        assert_eq!(spellings.len(), size());
        for character in "e=c*d=3*7=1;>aZ09+-".chars() {
            assert_eq!(spellings[token(character) as usize], character.to_string());
        }
        assert_eq!(token('?'), UNKNOWN);
        assert_eq!(spellings[EOS as usize], "</s>");
    }
}
