//! The prompt.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use kvscope::engine::Prompt;
use kvscope::text::Message;

use crate::command::failure::Failure;

#[derive(Args)]
#[command(next_help_heading = "Prompt", group = ArgGroup::new("text").required(true))]
pub struct PromptArguments {
    /// The user's message
    #[arg(long, value_name = "TEXT", group = "text")]
    prompt: Option<String>,
    /// File with the user's message; - for the standard input
    #[arg(long, value_name = "FILE", group = "text")]
    prompt_file: Option<PathBuf>,
    /// System message, in place of the chat template's own
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    system: Option<String>,
    /// Continue the text itself, without the model's chat template; where it spells a control
    /// token, it means it
    #[arg(long)]
    raw: bool,
}

impl PromptArguments {
    pub fn read(&self) -> Result<Prompt, Failure> {
        let text = match &self.prompt_file {
            Some(path) => read(path)?,
            None => self.prompt.clone().unwrap_or_default(),
        };
        if self.raw {
            return Ok(Prompt::Text(text));
        }
        let system = self.system.clone();
        let system = system.map(|text| Message::new("system", text));
        let user = Message::new("user", text);
        Ok(Prompt::Chat(system.into_iter().chain([user]).collect()))
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    text.map_err(|error| Failure::Prompt {
        path: path.to_owned(),
        error,
    })
}
