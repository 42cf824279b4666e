//! Limits on files and texts. All are several times what real models and prompts need.

/// Most tokens in a vocabulary; the largest have 262,144.
pub const MAX_TOKENS: usize = 1 << 20;
/// Most merges; the largest vocabularies have about 600,000.
pub const MAX_MERGES: usize = 1 << 20;
/// Most bytes in a piece of a SentencePiece vocabulary: its merges take quadratic time. Trainers
/// allow 16 characters unless told otherwise.
pub const MAX_PIECE_BYTES: usize = 256;
/// Most bytes of text to tokenize at once, a chat's template included: a quarter of a million
/// tokens. On 64-bit machines a text takes 50 times its bytes for words of five bytes, 150 for
/// words of two.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// Most bytes in a chat template; the longest known have about 30,000.
pub const MAX_TEMPLATE_BYTES: usize = 256 << 10;
/// Most bytes in a `tokenizer.json` or `tokenizer_config.json`.
pub const MAX_JSON_BYTES: usize = 64 << 20;
