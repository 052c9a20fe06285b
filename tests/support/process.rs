//! A child process whose lines are read on a thread, and what it uses of the system.

use crate::Event;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// What a running process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub threads: u64,
    pub descriptors: u64,
    pub rss_bytes: u64,
}

pub(crate) struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Event>,
    errors: Receiver<String>,
    /// Everything read so far, for messages and for checks afterwards.
    pub(crate) seen: Vec<Event>,
}

impl Process {
    pub(crate) fn start(name: &str, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let (line_tx, lines) = channel();
        let stdout = child.stdout.take().expect("stdout is piped");
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line)
                    .unwrap_or_else(|_| panic!("stdout is not JSON Lines: {line}"));
                if line_tx.send(event).is_err() {
                    return;
                }
            }
        });
        let (error_tx, errors) = channel();
        let mut stderr = child.stderr.take().expect("stderr is piped");
        std::thread::spawn(move || {
            let mut text = String::new();
            // Bytes that are not UTF-8 end the reading; the text before them is still told.
            let _ = stderr.read_to_string(&mut text);
            error_tx.send(text).ok();
        });
        let stdin = child.stdin.take();
        Self {
            name: name.to_owned(),
            child,
            stdin,
            lines,
            errors,
            seen: Vec::new(),
        }
    }

    /// The first line from now on that fits. Panics with all lines when none came in time.
    pub(crate) fn wait_for(&mut self, what: &str, within: Duration, fits: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + within;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(event) => {
                    self.seen.push(event.clone());
                    if fits(&event) {
                        return event;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{}: no {what} within {within:?}\n{}", self.name, self.story())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!(
                        "{}: ended without {what}\n{}\n{}",
                        self.name,
                        self.story(),
                        self.stderr()
                    )
                }
            }
        }
    }

    /// Waits for the end of the program; `seen` then holds every line.
    pub(crate) fn wait_for_exit(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(event) => self.seen.push(event),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{}: still runs after {within:?}\n{}", self.name, self.story())
                }
            }
        }
        self.child.wait().expect("a child can be waited for")
    }

    pub(crate) fn write_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        writeln!(stdin, "{line}")
            .and_then(|()| stdin.flush())
            .expect("the program reads its stdin");
    }

    /// SIGTERM, the polite end.
    pub(crate) fn terminate(&self) {
        let killed = Command::new("kill")
            .arg("-TERM")
            .arg(self.child.id().to_string())
            .status();
        assert!(
            killed.is_ok_and(|status| status.success()),
            "{}: cannot be terminated",
            self.name
        );
    }

    /// SIGKILL: it says nothing to anybody.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a running child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// All of stderr; waits for the end of the program.
    pub(crate) fn stderr(&self) -> String {
        self.errors
            .recv_timeout(Duration::from_secs(5))
            .unwrap_or_default()
    }

    /// Names of the threads that run (Linux).
    pub(crate) fn thread_names(&self) -> Vec<String> {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.child.id())) else {
            return Vec::new();
        };
        tasks
            .flatten()
            .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
            .map(|name| name.trim().to_owned())
            .collect()
    }

    pub(crate) fn usage(&self) -> Usage {
        let pid = self.child.id();
        let count = |folder: &str| {
            std::fs::read_dir(format!("/proc/{pid}/{folder}")).map_or(0, |entries| entries.count() as u64)
        };
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = rss
            .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0);
        Usage {
            threads: count("task"),
            descriptors: count("fd"),
            rss_bytes: kilobytes * 1024,
        }
    }

    pub(crate) fn story(&self) -> String {
        let lines: Vec<String> = self.seen.iter().map(Event::to_string).collect();
        format!("--- {} said:\n{}", self.name, lines.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
