//! A clicked invitation while the window is open: the second start ends, the first window asks, and after a yes it calls.
//!
//! `cargo xtask test` runs it; by itself it needs what `window_smoke.rs` needs.

use ahoy_tests::pictures::watch;
use ahoy_tests::window::{Display, Window, program};
use ahoy_tests::{Party, TestServer, name};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Everything in the window happens within this, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// The question about an invitation.
const QUESTION: &str = "document.querySelector('[role=\"alertdialog\"]')";

#[test]
#[ignore = "needs the built window and a display: cargo xtask test"]
fn a_clicked_invitation_is_asked_about_in_the_window_that_is_open() -> Result<()> {
    let server = TestServer::start();
    let rooms = server.listening()["rooms"]
        .as_str()
        .context("listening has rooms")?;
    let mut callee = Party::in_room(rooms, "alice");

    let display = Display::start()?;
    // On the command line they would make this a window that is one of several on purpose.
    display.set(&json!({ "microphone": "tone:440", "speaker": "null", "camera": "pattern:640x360@15" }))?;
    let window = Window::open(&display, &[])?;
    window.wait_until(
        "document.querySelector(\"[data-focus='video:9000']:not(:disabled)\")",
        LIMIT,
    )?;
    ensure!(
        window.run(&format!("return {QUESTION} === null;"))? == true,
        "it asks before there is a link"
    );

    // What is no invitation is said to be none, in the same window.
    click(&display, "ahoy:room?server=wss://h/signaling")?;
    window.wait_until(&format!("{QUESTION}?.querySelector('.sign.red')"), LIMIT)?;
    window.click("[role='alertdialog'] .actions button")?;
    window.wait_until(&format!("{QUESTION} === null"), LIMIT)?;

    let link = format!("ahoy:room?server={rooms}&room=alice");
    click(&display, &link)?;
    window.wait_until(&format!("{QUESTION}?.innerText.includes('alice')"), LIMIT)?;
    let told = callee.seen().iter().any(|event| name(event) == "incoming");
    ensure!(!told, "it calls before it is told to");

    window.click("[role='alertdialog'] [data-control='video-call']")?;
    callee.wait_within("incoming", LIMIT, |event| name(event) == "incoming");
    window.wait_until("document.querySelector('canvas[data-view=\"remote\"]')", LIMIT)?;
    watch(&window, "remote").context("the picture of alice")?;
    callee.wait_within("the window's tone", LIMIT, |event| {
        name(event) == "probe"
            && event["kind"] == "audio"
            && event["tone_db"].as_f64().is_some_and(|db| db > 20.0)
    });
    window.click("[data-control='hang-up']")?;
    window.wait_until("document.querySelector('[data-screen=\"ended\"]')", LIMIT)?;
    Ok(())
}

/// Starts the program with a link, as the system does: it must end by itself, and well.
fn click(display: &Display, link: &str) -> Result<()> {
    let started = display.command(program()?).arg(link).stdin(Stdio::null()).spawn();
    let mut second = Started(started.context("the second start")?);
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = second.0.try_wait()? {
            ensure!(status.success(), "the second start ended with {status}");
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "a second window is open");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ended with the test, should it still run.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It has ended by itself where all is well.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
