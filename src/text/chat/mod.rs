//! Chat templates: the Jinja programs that models want conversations written by.
//!
//! They run as in `transformers` (`apply_chat_template`), in a sandbox with bounded work: see
//! [`ChatTemplate`].

mod date;
mod environment;
mod json;
mod mark;
mod message;
mod source;
mod template;
mod value;

pub use date::Date;
pub use message::Message;
pub use template::ChatTemplate;
