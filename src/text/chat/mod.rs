//! Chat templates: the Jinja programs that models want conversations written by.
//!
//! They run as in `transformers` (`apply_chat_template`), in a sandbox with bounded work: see
//! [`ChatTemplate`].

mod environment;
mod json;
mod mark;
mod message;
mod source;
mod template;
mod time;
mod value;

pub use message::Message;
pub use template::ChatTemplate;
pub use time::{Date, Time};
