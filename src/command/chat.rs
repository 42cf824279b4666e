//! `kvscope chat`.

use std::fs;
use std::io::{BufRead, ErrorKind, IsTerminal};
use std::ops::ControlFlow;
use std::path::Path;

use kvscope::Error;
use kvscope::cache::MemoryReport;
use kvscope::engine::{Conversation, Engine, Prompt, Session};
use kvscope::generate::FinishReason;
use kvscope::text::Message;
use pollster::block_on;

use super::arguments::{ChatArguments, Policy, policy};
use super::failure::Failure;
use super::file;
use super::generate::{Ended, prefill, write};
use super::interrupt::Interrupts;
use super::open::open;
use super::output::Output;
use super::summary;

const HELP: &str = "\
/history           the messages so far
/rewind [TURNS]    take back the last turn, or so many
/fork [NAME]       go on in a branch of the conversation
/branch [NAME]     go to another branch, or list them
/memory            bytes that the cache of each branch holds
/policy [OPTIONS]  the cache's rules, or others: decode-strategy=slide decode-budget=128
/quit              end";

/// A conversation, and the sequence that its cache holds.
#[derive(Clone)]
struct Branch {
    name: String,
    conversation: Conversation,
    session: Session,
}

/// The branches of a conversation, and the one that is spoken to.
struct Chat<'a> {
    arguments: &'a ChatArguments,
    engine: Engine,
    interrupts: Interrupts,
    branches: Vec<Branch>,
    current: usize,
}

pub fn run(arguments: &ChatArguments) -> Result<Ended, Failure> {
    let config = arguments.config();
    config.validate().map_err(Error::from)?;
    arguments.cache.check()?;
    let interrupts = Interrupts::handled();
    let engine = open(
        &arguments.model.path,
        arguments.model.device,
        &interrupts.begin(),
    )?;
    let trunk = trunk(&engine, arguments, &interrupts)?;
    let mut chat = Chat {
        arguments,
        engine,
        interrupts,
        branches: vec![trunk],
        current: 0,
    };
    let is_terminal = std::io::stdin().is_terminal();
    let mut lines = std::io::stdin().lock().lines();
    loop {
        chat.interrupts.end();
        if is_terminal {
            eprint!("{}> ", chat.branch().name);
        }
        let Some(line) = lines.next() else {
            return Ok(Ended::Whole);
        };
        let line = line.map_err(|error| Failure::Prompt {
            path: "-".into(),
            error,
        })?;
        let line = line.trim();
        let said = match line.strip_prefix('/') {
            _ if line.is_empty() => Ok(ControlFlow::Continue(())),
            Some(command) => chat.obey(command),
            None => chat.answer(line),
        };
        match said {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return Ok(Ended::Whole),
            // The conversation goes on without it.
            Err(failure) => failure.report(false),
        }
    }
}

/// The branch that the session's file has, or a new one.
fn trunk(
    engine: &Engine,
    arguments: &ChatArguments,
    interrupts: &Interrupts,
) -> Result<Branch, Failure> {
    let name = "main".to_owned();
    let saved = arguments.session.as_deref().map_or(Ok(None), saved)?;
    if let Some(bytes) = saved {
        let (session, conversation) = engine.load_session(&bytes)?;
        let count = conversation.messages.len();
        eprintln!("going on from {count} messages, under the rules of the session's file");
        return Ok(Branch {
            name,
            conversation,
            session,
        });
    }
    let system = arguments.system.iter();
    let mut conversation = Conversation {
        document: None,
        messages: system.map(|text| Message::new("system", text)).collect(),
    };
    let mut session = engine.session(&arguments.cache.options())?;
    if let Some(path) = &arguments.document {
        let text = fs::read_to_string(path).map_err(|error| Failure::Prompt {
            path: path.clone(),
            error,
        })?;
        conversation.document = Some(text);
        let tokens = engine.beginning(&conversation)?;
        let resumed = engine.resume_tokens(&mut session, tokens, arguments.config());
        let mut read = block_on(resumed)?.with_cancel(interrupts.begin());
        prefill(&mut read)?;
    }
    Ok(Branch {
        name,
        conversation,
        session,
    })
}

/// The bytes of the session's file, if there is one.
fn saved(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Session {
            path: path.to_owned(),
            error,
        }),
    }
}

impl Chat<'_> {
    fn branch(&mut self) -> &mut Branch {
        &mut self.branches[self.current]
    }

    /// Carries out a command; breaks if it ends the chat.
    fn obey(&mut self, command: &str) -> Result<ControlFlow<()>, Failure> {
        let (name, argument) = command.split_once(' ').unwrap_or((command, ""));
        match (name, argument.trim()) {
            ("quit", "") => return Ok(ControlFlow::Break(())),
            ("history", "") => self.history(),
            ("rewind", "") => self.rewind(1)?,
            ("rewind", turns) => match turns.parse() {
                Ok(turns) => self.rewind(turns)?,
                Err(_) => eprintln!("{HELP}"),
            },
            ("fork", name) => self.fork(name),
            ("branch", "") => self.list(),
            ("branch", name) => self.go_to(name),
            ("memory", "") => self.memory(),
            ("policy", "") => self.rules()?,
            ("policy", options) => match policy(options) {
                Ok(policy) => self.change(&policy)?,
                Err(refused) => eprintln!("{refused}"),
            },
            _ => eprintln!("{HELP}"),
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Answers the user's `text`. Where that fails, the conversation is as before.
    fn answer(&mut self, text: &str) -> Result<ControlFlow<()>, Failure> {
        let config = self.arguments.config();
        let cancel = self.interrupts.begin();
        let branch = &mut self.branches[self.current];
        let mut conversation = branch.conversation.clone().asked(text);
        let prompt = Prompt::from(conversation.clone());
        let resumed = self.engine.resume(&mut branch.session, &prompt, config);
        let mut generation = block_on(resumed)?.with_cancel(cancel);

        let mut output = Output::new(std::io::stdout().lock(), false);
        let figures = write(&mut generation, &mut output)?;
        if output.closed() {
            return Ok(ControlFlow::Break(()));
        }
        let answer = Message::new("assistant", generation.text());
        drop(generation);
        // A prompt that was cancelled has no answer.
        if figures.finish != Some(FinishReason::Cancelled) || figures.new_tokens > 0 {
            conversation.messages.push(answer);
            self.branch().conversation = conversation;
            self.save()?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Writes the branch to the session's file, if there is to be one.
    fn save(&self) -> Result<(), Failure> {
        let Some(path) = &self.arguments.session else {
            return Ok(());
        };
        let branch = &self.branches[self.current];
        let saved = self
            .engine
            .save_session(&branch.session, &branch.conversation);
        let bytes = block_on(saved)?;
        file::replace(path, &bytes).map_err(|error| Failure::Session {
            path: path.clone(),
            error,
        })
    }

    fn history(&mut self) {
        for Message { role, content, .. } in &self.branch().conversation.messages {
            eprintln!("{role}: {content}");
        }
    }

    /// Takes back `turns` questions with their answers. The cache goes back at the next question.
    fn rewind(&mut self, turns: usize) -> Result<(), Failure> {
        let messages = &mut self.branch().conversation.messages;
        for _ in 0..turns {
            let Some(asked) = messages.iter().rposition(|it| it.role == "user") else {
                break;
            };
            messages.truncate(asked);
        }
        eprintln!("{} messages are left", messages.len());
        self.save()
    }

    fn fork(&mut self, name: &str) {
        let count = self.branches.len();
        let name = match name {
            "" => format!("branch-{count}"),
            name => name.to_owned(),
        };
        if self.branches.iter().any(|branch| branch.name == name) {
            eprintln!("there is a branch {name} already");
            return;
        }
        let mut branch = self.branch().clone();
        branch.name = name;
        self.branches.push(branch);
        self.current = count;
    }

    fn list(&self) {
        for (index, branch) in self.branches.iter().enumerate() {
            let mark = if index == self.current { "*" } else { " " };
            let messages = branch.conversation.messages.len();
            eprintln!("{mark} {}: {messages} messages", branch.name);
        }
    }

    fn go_to(&mut self, name: &str) {
        match self.branches.iter().position(|branch| branch.name == name) {
            Some(index) => self.current = index,
            None => eprintln!("there is no branch {name}; /fork {name} makes it"),
        }
    }

    fn memory(&self) {
        for branch in &self.branches {
            let MemoryReport {
                held_bytes,
                full_bytes,
                ..
            } = branch.session.cache().memory();
            eprintln!(
                "{}: {} held of {} tokens, {} with a full cache in f16",
                branch.name,
                summary::Megabytes(held_bytes),
                branch.session.tokens().len(),
                summary::Megabytes(full_bytes)
            );
        }
    }

    fn rules(&mut self) -> Result<(), Failure> {
        let rules = self.branch().session.rules();
        let rules = serde_json::to_string(rules).map_err(|error| Failure::Output(error.into()))?;
        eprintln!("{rules}");
        Ok(())
    }

    /// Goes on under other rules. The next question computes the conversation afresh.
    fn change(&mut self, policy: &Policy) -> Result<(), Failure> {
        self.branch().session = self.engine.session(&policy.cache.options())?;
        self.save()?;
        self.rules()
    }
}
