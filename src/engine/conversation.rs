//! The messages of a session, and the document that they are about.

use serde::{Deserialize, Serialize};

use super::{Engine, Prompt};
use crate::Error;
use crate::text::Message;

/// A conversation, possibly about a document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
// A message's further fields are a map.
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify), tsify(hashmap_as_object))]
pub struct Conversation {
    /// Text that the conversation is about: the first question's message begins with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub document: Option<String>,
    /// The messages so far.
    pub messages: Vec<Message>,
}

impl Conversation {
    /// The conversation with a question of the user's.
    #[must_use]
    pub fn asked(mut self, question: &str) -> Self {
        let is_first = self.messages.iter().all(|message| message.role != "user");
        let content = match &self.document {
            Some(document) if is_first => about(document, question),
            _ => question.to_owned(),
        };
        self.messages.push(Message::new("user", content));
        self
    }
}

impl From<Conversation> for Prompt {
    fn from(conversation: Conversation) -> Self {
        Self::Chat(conversation.messages)
    }
}

/// A message that asks `question` about `document`.
fn about(document: &str, question: &str) -> String {
    format!("{}\n\n{}", document.trim_end(), question.trim_start())
}

impl Engine {
    /// The tokens with which every next turn of `conversation` begins, as the chat template writes
    /// them. A [`Session`](super::Session) that holds them answers each
    /// [question](Conversation::asked) by computing that question's tokens alone. Before the first
    /// question they are the document's. After an answer they are without the thinking that a
    /// template leaves out of earlier answers.
    ///
    /// # Errors
    ///
    /// Those of [`encode`](Self::encode).
    pub fn beginning(&self, conversation: &Conversation) -> Result<Vec<u32>, Error> {
        let asked = |question| self.encode(&conversation.clone().asked(question).into());
        // Whatever the template puts around a message, questions without a common beginning part
        // where they begin.
        let (mut tokens, other) = (asked("Who?")?, asked("?")?);
        let pairs = tokens.iter().zip(&other);
        let common = pairs.take_while(|(one, other)| one == other).count();
        tokens.truncate(common);
        Ok(tokens)
    }
}
