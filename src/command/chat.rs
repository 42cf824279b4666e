//! `kvscope chat`.

use std::io::{BufRead, IsTerminal};
use std::ops::ControlFlow;

use kvscope::Error;
use kvscope::cache::MemoryReport;
use kvscope::engine::{Engine, Prompt, Session};
use kvscope::generate::FinishReason;
use kvscope::text::Message;
use pollster::block_on;

use super::arguments::{ChatArguments, Policy, policy};
use super::failure::Failure;
use super::generate::{Ended, write};
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
struct Branch {
    name: String,
    messages: Vec<Message>,
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
    let system = arguments.system.iter();
    let trunk = Branch {
        name: "main".to_owned(),
        messages: system.map(|text| Message::new("system", text)).collect(),
        session: engine.session(&arguments.cache.options())?,
    };
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
            ("rewind", "") => self.rewind(1),
            ("rewind", turns) => match turns.parse() {
                Ok(turns) => self.rewind(turns),
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
        let mut messages = branch.messages.clone();
        messages.push(Message::new("user", text));
        let prompt = Prompt::Chat(messages.clone());
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
            messages.push(answer);
            self.branch().messages = messages;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn history(&mut self) {
        for Message { role, content, .. } in &self.branch().messages {
            eprintln!("{role}: {content}");
        }
    }

    /// Takes back `turns` questions with their answers. The cache goes back at the next question.
    fn rewind(&mut self, turns: usize) {
        let messages = &mut self.branch().messages;
        for _ in 0..turns {
            let Some(asked) = messages.iter().rposition(|it| it.role == "user") else {
                break;
            };
            messages.truncate(asked);
        }
        eprintln!("{} messages are left", messages.len());
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
        let Branch {
            messages, session, ..
        } = self.branch();
        let (messages, session) = (messages.clone(), session.clone());
        self.branches.push(Branch {
            name,
            messages,
            session,
        });
        self.current = count;
    }

    fn list(&self) {
        for (index, branch) in self.branches.iter().enumerate() {
            let mark = if index == self.current { "*" } else { " " };
            eprintln!("{mark} {}: {} messages", branch.name, branch.messages.len());
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
        self.rules()
    }
}
