//! JSON Lines on stdout, and nothing else there.

use serde::Serialize;
use std::io::Write;
use std::time::Instant;

/// Stamps and prints events. One per process.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    started: Instant,
}

impl Output {
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Milliseconds since the program started.
    pub fn at_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Milliseconds from the start of the program to a moment.
    pub fn ms_of(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.started).as_millis() as u64
    }

    /// The wall clock as RFC 3339 UTC with milliseconds.
    pub fn wall() -> String {
        format!("{:.3}", jiff::Timestamp::now())
    }

    /// Prints one line. A reader that has gone away ends the program quietly.
    pub fn line(&self, event: &impl Serialize) {
        let mut text = serde_json::to_string(event).expect("events are maps with text keys");
        text.push('\n');
        self.text(&text);
    }

    /// Prints text that is no event.
    pub fn text(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            std::process::exit(0);
        }
    }
}
