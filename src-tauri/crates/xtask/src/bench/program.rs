//! One running program of a call: its lines are read as they come, and it ends with this value.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

pub struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// The lines of its contract so far, in order.
    events: Vec<Value>,
}

impl Program {
    /// Starts it; what it says of itself goes to `log`.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("its output was not piped")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            name: name.to_owned(),
            child,
            stdin,
            lines,
            events: Vec::new(),
        })
    }

    /// Waits for an event; an error when the program ends before or does not say it in time.
    pub fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        mut found: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        let deadline = Instant::now() + limit;
        loop {
            let line = self
                .next_line(deadline)
                .with_context(|| format!("waiting for {what}"))?;
            let Some(line) = line else {
                bail!("{} ended before it said {what}", self.name)
            };
            if let Some(event) = self.take(&line)
                && found(&event)
            {
                return Ok(event);
            }
        }
    }

    /// Keeps what it says for so long; an error when it ends before.
    pub fn listen_for(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.take(&line);
                }
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => bail!("{} ended before its time", self.name),
            }
        }
    }

    /// Keeps an event. Another client may say more than the contract.
    fn take(&mut self, line: &str) -> Option<Value> {
        let event: Value = serde_json::from_str(line).ok()?;
        self.events.push(event.clone());
        Some(event)
    }

    /// `None` when it has ended. One that says nothing until the deadline is an error.
    fn next_line(&mut self, deadline: Instant) -> Result<Option<String>> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!("{} takes too long", self.name),
        }
    }

    /// For an error: what it said last, but for its statistics.
    fn last_said(&self) -> String {
        let said = self.events.iter().rev().find(|event| event["event"] != "stats");
        match said {
            Some(event) => format!("{} does not end, and said last {event}", self.name),
            None => format!("{} does not end, and said nothing", self.name),
        }
    }

    pub fn write_line(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its input is closed")?;
        writeln!(stdin, "{line}").with_context(|| format!("{} no longer listens", self.name))
    }

    /// Closes its input, waits until it has ended, and returns all that it said.
    pub fn finish(mut self, limit: Duration) -> Result<Vec<Value>> {
        self.stdin = None;
        let deadline = Instant::now() + limit;
        while let Some(line) = self.next_line(deadline).with_context(|| self.last_said())? {
            self.take(&line);
        }
        self.child.wait()?;
        Ok(std::mem::take(&mut self.events))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
