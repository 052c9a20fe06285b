//! Streams of a media server in the real window: the person enters a server and a room, pushes microphone and camera, and
//! plays streams, one of them without sound, and talks both ways. What stands for the media server is a room of the same
//! program that answers every call, or two of them behind one name.
//!
//! `cargo xtask test` runs it; by itself it needs what `window_smoke.rs` needs.

use ahoy_tests::media_server::{KEEPER, MediaServer, TAKEN};
use ahoy_tests::pictures::watch;
use ahoy_tests::window::{Display, Window};
use ahoy_tests::{Party, TestServer, mute_keeper, serial};
use anyhow::{Context, Result, ensure};
use std::time::Duration;

/// Everything in the window happens within this, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
const DEVICES: [&str; 6] = [
    "--microphone",
    "tone:440",
    "--speaker",
    "null",
    "--camera",
    "pattern:640x360@15",
];

/// A window whose person has entered the address of a server and a room of their own.
fn window_in_room(display: &Display, rooms: &str, room: &str) -> Result<Window> {
    let window = Window::open(display, &DEVICES)?;
    window.wait_until(
        "document.querySelector(\"[data-focus='video:9000']:not(:disabled)\")",
        LIMIT,
    )?;
    window.click(".side [aria-haspopup='dialog']")?;
    window.click("[data-control='other-server']")?;
    window.wait_until(
        "document.querySelector('[data-screen=\"sign-in\"] .choice')",
        LIMIT,
    )?;
    window.click(".choice:not(.first)")?;
    window.wait_until(
        "document.querySelector('[data-screen=\"sign-in\"] input[name=\"server\"]')",
        LIMIT,
    )?;
    window.type_into("input[name='server']", rooms)?;
    window.wait_until("document.querySelector('input[name=\"user\"]')", LIMIT)?;
    window.type_into("input[name='user']", room)?;
    window.click("form button[type='submit']")?;
    window.wait_until(STREAMS, LIMIT)?;
    Ok(window)
}

/// The button that opens the form, once it can be pressed.
const STREAMS: &str = "document.querySelector('[data-control=\"streams\"]:not(:disabled)')";

/// Opens the form for streams and names one in a room; `button` is the place of its button.
fn place(window: &Window, room: &str, stream: &str, button: usize) -> Result<()> {
    fill(window, room, stream)?;
    press(window, button)
}

/// The same with the other side's stream, for a call both ways.
fn place_both(window: &Window, stream: &str, theirs: &str) -> Result<()> {
    fill(window, KEEPER, stream)?;
    window.type_into("input[name='theirs']", theirs)?;
    press(window, BOTH)
}

fn fill(window: &Window, room: &str, stream: &str) -> Result<()> {
    window.wait_until(STREAMS, LIMIT)?;
    window.click("[data-control='streams']")?;
    window.wait_until("document.querySelector('input[name=\"stream\"]')", LIMIT)?;
    window.type_into("input[name='room']", room)?;
    window.type_into("input[name='stream']", stream)
}

fn press(window: &Window, button: usize) -> Result<()> {
    window.click(&format!("[role='dialog'] .actions button:nth-of-type({button})"))
}

/// The notice that a stream comes without sound.
const WITHOUT_SOUND: &str = "document.querySelector('[data-notice=\"stream_without_sound\"]')";
const PLAY: usize = 1;
const PUSH: usize = 2;
const BOTH: usize = 3;

fn end(window: &Window) -> Result<()> {
    window.click("[data-control='hang-up']")?;
    window.wait_until("document.querySelector('[data-screen=\"ended\"]')", LIMIT)
}

#[test]
#[ignore = "needs the built window and a display: cargo xtask test"]
fn the_window_pushes_its_camera_plays_a_stream_and_says_when_one_has_no_sound() -> Result<()> {
    let _turn = serial();
    let server = TestServer::start();
    let rooms = server.listening()["rooms"]
        .as_str()
        .context("listening has rooms")?;
    let display = Display::start()?;
    let window = window_in_room(&display, rooms, "desk")?;

    let mut keeper_of_push = Party::in_room(rooms, "studio");
    place(&window, "studio", "desk-cam", PUSH)?;
    // The preview of the own picture is another canvas.
    window.wait_until(
        "document.querySelector('[data-screen=\"call-video\"] canvas[data-view=\"local\"]')",
        LIMIT,
    )?;
    watch(&window, "local").context("the own picture")?;
    keeper_of_push.hears(440.0, LIMIT);
    keeper_of_push.sees(LIMIT);
    let remote = window.run("return document.querySelector('canvas[data-view=\"remote\"]') === null;")?;
    ensure!(remote == true, "who pushes sees a picture that nobody sends");
    end(&window)?;
    keeper_of_push.wait_for_end(LIMIT);

    let mut keeper_of_play = Party::in_room(rooms, "harbor");
    window.click("[data-control='close']")?;
    place(&window, "harbor", "quay", PLAY)?;
    window.wait_until("document.querySelector('canvas[data-view=\"remote\"]')", LIMIT)?;
    let seen = watch(&window, "remote").context("the played picture")?;
    println!(
        "played: {} different pictures, {} drawn",
        seen.different, seen.drawn
    );
    let picture = window.picture()?;
    if let Some(path) = std::env::var_os("AHOY_STREAM_PICTURE") {
        std::fs::write(&path, &picture).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let silent = window.run(&format!("return {WITHOUT_SOUND} === null;"))?;
    ensure!(silent == true, "a stream with sound is said to have none");
    end(&window)?;
    keeper_of_play.wait_for_end(LIMIT);

    let mut keeper_of_aac = Party::in_room(&mute_keeper(rooms), "pier");
    window.click("[data-control='close']")?;
    place(&window, "pier", "crane", PLAY)?;
    window.wait_until(WITHOUT_SOUND, LIMIT)?;
    window.wait_until("document.querySelector('canvas[data-view=\"remote\"]')", LIMIT)?;
    watch(&window, "remote").context("the picture of the stream without sound")?;
    end(&window)?;
    keeper_of_aac.wait_for_end(LIMIT);
    Ok(())
}

/// The notice that nothing is sent any more.
const NOT_SENT: &str = "document.querySelector('[data-notice=\"push_ended\"]')";

#[test]
#[ignore = "needs the built window and a display: cargo xtask test"]
fn the_window_talks_both_ways_in_one_call_and_says_when_one_way_is_gone() -> Result<()> {
    let _turn = serial();
    let server = TestServer::start();
    let rooms = server.listening()["rooms"]
        .as_str()
        .context("listening has rooms")?;
    let mut media = MediaServer::start(rooms);
    let display = Display::start()?;
    let window = window_in_room(&display, &media.url, "desk")?;

    place_both(&window, "desk-cam", "quay")?;
    window.wait_until("document.querySelector('canvas[data-view=\"remote\"]')", LIMIT)?;
    let seen = watch(&window, "remote").context("the played picture")?;
    println!(
        "played: {} different pictures, {} drawn",
        seen.different, seen.drawn
    );
    watch(&window, "local").context("the own picture")?;
    media.pushed.hears(440.0, LIMIT);
    media.pushed.sees(LIMIT);
    window.wait_until("document.querySelector('[data-control=\"mute\"]')", LIMIT)?;
    if let Some(path) = std::env::var_os("AHOY_TWO_WAY_PICTURE") {
        let picture = window.picture()?;
        std::fs::write(&path, &picture).with_context(|| format!("cannot write {}", path.display()))?;
    }
    end(&window)?;
    media.pushed.wait_for_end(LIMIT);
    media.played.wait_for_end(LIMIT);
    window.click("[data-control='close']")?;
    window.wait_until("document.querySelector('main li')", LIMIT)?;
    let calls = window.run("return document.querySelectorAll('main li').length;")?;
    ensure!(calls == 1, "one call is {calls} in the list");

    // Those who take and give answer one call each.
    let _give_again = Party::in_room(rooms, media.played_room());
    place_both(&window, TAKEN, "quay")?;
    window.wait_until(NOT_SENT, LIMIT)?;
    window.wait_until("document.querySelector('canvas[data-view=\"remote\"]')", LIMIT)?;
    watch(&window, "remote").context("the picture of the way that is left")?;
    end(&window)
}
