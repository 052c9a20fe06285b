//! One run of the real window, unseen: the settings hear the microphone, it calls Echo, the remote picture moves, a key of
//! the keypad is taken, it hangs up.
//!
//! `cargo xtask test` runs it; by itself it needs `AHOY_WINDOW` (the window built with its page), Xvfb,
//! dbus-daemon and WebKitWebDriver. `AHOY_WINDOW_PICTURE` names where the screenshot goes, `AHOY_WINDOW_CAMERA` another camera.

use ahoy_tests::pictures::{SAMPLES, watch};
use ahoy_tests::window::{Display, Window};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

/// Everything in the window happens within this, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
#[ignore = "needs the built window and a display: cargo xtask test"]
fn the_window_calls_echo_sees_its_picture_move_and_hangs_up() -> Result<()> {
    let camera = std::env::var("AHOY_WINDOW_CAMERA").unwrap_or_else(|_| "pattern:640x360@15".to_owned());
    let display = Display::start()?;
    let devices = [
        "--microphone",
        "tone:440",
        "--speaker",
        "null",
        "--camera",
        &camera,
    ];
    let window = Window::open(&display, &devices)?;

    let call_echo = "[data-focus='video:9000']";
    window.wait_until(
        &format!("document.querySelector(\"{call_echo}:not(:disabled)\")"),
        LIMIT,
    )?;
    hear_the_microphone(&window).context("the meter of the settings")?;
    window.click(call_echo)?;
    window.wait_until("document.querySelector('canvas[data-view=\"remote\"]')", LIMIT)?;

    let begun = Instant::now();
    let remote = watch(&window, "remote").context("the picture of Echo")?;
    let drawn_per_second = f64::from(remote.drawn) / begun.elapsed().as_secs_f64();
    println!(
        "remote: {} different of {SAMPLES}, {drawn_per_second:.1} drawn/s, {}",
        remote.different, remote.renderer
    );
    watch(&window, "local").context("the own picture")?;

    press_a_key(&window).context("the keypad")?;

    let picture = window.picture()?;
    ensure!(picture.starts_with(b"\x89PNG"), "the screenshot is no PNG");
    if let Some(path) = std::env::var_os("AHOY_WINDOW_PICTURE") {
        std::fs::write(&path, &picture).with_context(|| format!("cannot write {}", path.display()))?;
    }

    window.click("[data-control='hang-up']")?;
    window.wait_until("document.querySelector('[data-screen=\"ended\"]')", LIMIT)?;
    let cause = window.run("return document.querySelector('[data-screen=\"ended\"]').dataset.cause;")?;
    ensure!(cause == "hung_up_by_us", "the call ended by {cause}");
    Ok(())
}

/// The tone of the microphone is seen while the settings are open.
fn hear_the_microphone(window: &Window) -> Result<()> {
    window.click(".side [aria-haspopup='dialog']")?;
    window.click("[data-control='settings']")?;
    let meter = "document.querySelector('[role=\"meter\"]')";
    window.wait_until(
        &format!("Number({meter}?.getAttribute('aria-valuenow')) > -40"),
        LIMIT,
    )?;
    window.click("[data-control='back']")?;
    window.wait_until("document.querySelector('[data-screen=\"people\"]')", LIMIT)
}

/// A key is shown as pressed once the call has taken it.
fn press_a_key(window: &Window) -> Result<()> {
    let taken = "document.querySelector('[data-control=\"keypad\"][aria-disabled=\"false\"]')";
    window.wait_until(taken, LIMIT)?;
    window.click("[data-control='keypad']")?;
    window.click("[data-digit='5']")?;
    let pressed = "document.querySelector('[data-panel=\"keypad\"] [role=\"status\"]')";
    window.wait_until(&format!("{pressed}?.textContent === '5'"), LIMIT)?;
    window.click("[data-control='keypad']")
}
