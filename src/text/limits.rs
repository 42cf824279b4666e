//! The most that files and texts may ask for. All are several times what real models and prompts need.

/// The most tokens in a vocabulary; the largest have 262,144.
pub const MAX_TOKENS: usize = 1 << 20;
/// The most merges; the largest vocabularies have about 600,000.
pub const MAX_MERGES: usize = 1 << 20;
/// The most bytes in a piece of a SentencePiece vocabulary, whose merges take time with the square of it. Trainers allow
/// 16 characters unless told otherwise.
pub const MAX_PIECE_BYTES: usize = 256;
/// The most bytes of text to be tokenized at once, a chat with what its template adds included: a quarter of a million
/// tokens. On the way a text takes 50 to 150 times its bytes (on 64-bit machines, words of five bytes and of two).
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// The most bytes in a chat template; the longest known have about 30,000.
pub const MAX_TEMPLATE_BYTES: usize = 256 << 10;
/// The most bytes in a `tokenizer.json` or `tokenizer_config.json`.
pub const MAX_JSON_BYTES: usize = 64 << 20;
