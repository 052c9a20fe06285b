//! Calls with a browser: Chromium, in which a page of ours speaks IM-Suite, against `ahoy-cli`. Both ways, in each codec, on a
//! good and on a bad network.
//!
//! `cargo xtask test` runs it; by itself it needs Chromium and its driver, chromedriver. `CHROMIUM` names another browser of
//! its kind, and what was left out because the browser has not got it goes into the file that `AHOY_BROWSER_SKIPPED` names.

#![allow(
    clippy::print_stdout,
    reason = "figures and what was left out are for whoever reads the log"
)]

mod call;
mod chromium;
mod link;
mod lossy;
mod telephone;

use ahoy_tests::{name, number, probes, serial};
use anyhow::Result;
use call::{Call, FRAME_RATE, Plan, Side};
use chromium::Chromium;
use link::{Conditions, Link};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Each picture codec and each sound codec from both sides, each way to hang up in a call of both sides.
const CLEAN: [(Plan, Side); 6] = [
    (plan("VP8", "opus", Side::Page), Side::Page),
    (plan("VP9", "PCMU", Side::Page), Side::Ahoy),
    (plan("H264", "opus", Side::Page), Side::Page),
    (plan("VP8", "PCMU", Side::Ahoy), Side::Ahoy),
    (plan("VP9", "opus", Side::Ahoy), Side::Page),
    (plan("H264", "PCMU", Side::Ahoy), Side::Ahoy),
];

const LOSSY: [Plan; 3] = [
    plan("VP8", "opus", Side::Page),
    plan("VP9", "PCMU", Side::Ahoy),
    plan("H264", "opus", Side::Ahoy),
];

/// Either way, of a link that is neither good nor hopeless.
const BAD: Conditions = Conditions {
    loss: 0.05,
    delay: Duration::from_millis(20),
    rate: 1.5e6,
    queue: Duration::from_millis(200),
};

const fn plan(picture: &'static str, sound: &'static str, caller: Side) -> Plan {
    Plan {
        picture,
        sound,
        caller,
    }
}

/// Says that a call is not made or not judged, aloud.
fn skip(plan: Plan, why: &str) {
    println!("SKIPPED: {}: {why}", plan.title());
    if let Some(path) = std::env::var_os("AHOY_BROWSER_SKIPPED") {
        let said = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(&path, format!("{said}{}: {why}\n", plan.title())).expect("the file can be written");
    }
}

const NO_CODEC: &str = "the browser cannot both encode and decode it";

/// The probe counts a picture that is met twice as going backwards. A browser sends its last one again where a keyframe is
/// asked for before the next.
const MET_TWICE: f64 = 3.0;

fn assert_codecs(plan: Plan, page: &Value, ahoy: &Value) {
    for (way, codec) in [
        ("videoIn", plan.picture),
        ("videoOut", plan.picture),
        ("audioIn", plan.sound),
        ("audioOut", plan.sound),
    ] {
        assert_eq!(page[way]["codec"], codec, "{way} of the page: {page:#}");
    }
    let encoder = if plan.picture == "H264" {
        "openh264"
    } else {
        "libvpx"
    };
    assert_eq!(ahoy["video_in"]["codec"], plan.picture, "{ahoy}");
    assert_eq!(ahoy["video_out"]["encoder"], encoder, "{ahoy}");
    assert_eq!(ahoy["audio_in"]["codec"], plan.sound, "{ahoy}");
    assert_eq!(ahoy["audio_out"]["codec"], plan.sound, "{ahoy}");
}

#[test]
#[ignore = "needs Chromium and its driver: cargo xtask test"]
fn each_codec_carries_picture_and_sound_both_ways_and_either_side_hangs_up() -> Result<()> {
    let _turn = serial();
    let browser = Chromium::start()?;
    for (plan, hangs_up) in CLEAN {
        if !browser.has_picture_codec(plan.picture) {
            skip(plan, NO_CODEC);
            continue;
        }
        let mut call = Call::connect(&browser, plan, None);
        call.see_and_hear(3.0 * FRAME_RATE);
        let (page, ahoy) = (call.page.measure(), call.ahoy_stats());
        assert_codecs(plan, &page, &ahoy);
        call.page.act("phone.press('5#')");
        for key in ["5", "#"] {
            let pressed = call.ahoy.wait_for("a key", |event| name(event) == "dtmf");
            assert_eq!(pressed["digit"], key, "{}", plan.title());
        }
        let screen = &page["screen"];
        assert_eq!(number(screen, "backwards"), 0.0, "{screen}");
        assert!(number(screen, "unreadable") <= 15.0, "{screen}");
        // The numbers are those of the camera, which has made hardly more pictures than have come; the last ones may be
        // among those that were not read.
        let frames = number(screen, "frames");
        assert!(
            number(screen, "number") >= frames - 1.0 - number(screen, "unreadable"),
            "the picture does not move: {screen}"
        );
        let ended = call.hang_up(hangs_up);
        let probe = *probes(ended.seen(), "video").last().expect("probed");
        assert!(number(probe, "backwards") <= MET_TWICE, "{probe}");
        assert!(number(probe, "unreadable") <= 15.0, "{probe}");
        println!(
            "{}: connected in {:.0} ms; Ahoy's pictures {:.0} shown, {:.0} ms old, {:.0} Hz; the page's {:.0}, {} ms, {} Hz",
            plan.title(),
            number(&page, "connectedMs"),
            frames,
            number(screen, "latencyMs"),
            number(&page["ear"], "hz"),
            number(probe, "frames"),
            probe["latency_ms"]["p50"],
            probes(ended.seen(), "audio").last().expect("probed")["frequency"],
        );
    }
    Ok(())
}

#[test]
#[ignore = "needs Chromium and its driver: cargo xtask test"]
fn muting_cameras_and_new_paths_work_in_mid_call() -> Result<()> {
    let _turn = serial();
    let browser = Chromium::start()?;
    for caller in [Side::Page, Side::Ahoy] {
        let mut call = Call::connect(&browser, plan("VP8", "opus", caller), None);
        call.see_and_hear(FRAME_RATE);
        mute(&mut call);
        turn_cameras_off_and_on(&mut call);
        find_new_paths(&mut call);
        call.hang_up(caller);
    }
    Ok(())
}

fn mute(call: &mut Call<'_>) {
    let limit = Duration::from_secs(10);
    let quiet = |measured: &Value| number(&measured["ear"], "levelDb") < -60.0;
    call.ahoy.write_line("mute on");
    call.page.wait_for("silence of Ahoy", limit, quiet);
    let told = "phone.reports.at(-1)?.media?.audio";
    assert_eq!(call.page.act(told), "muted", "{}", call.story());
    call.ahoy.write_line("mute off");
    call.page
        .wait_for("tone of Ahoy again", limit, |measured| !quiet(measured));
    let level = |event: &Value| event["audio_in"]["audioLevel"].as_f64();
    call.page.act("phone.mute(true)");
    call.ahoy.wait_for("silence of the page", |event| {
        level(event).is_some_and(|level| level < 0.001)
    });
    call.page.act("phone.mute(false)");
    call.ahoy.wait_for("tone of the page again", |event| {
        level(event).is_some_and(|level| level > 0.05)
    });
}

/// Pictures a second below which nobody is seen.
const SEEN: f64 = 5.0;

fn turn_cameras_off_and_on(call: &mut Call<'_>) {
    let sees = |event: &Value| number(event, "fps") > SEEN;
    call.page.act("phone.show(false)");
    call.ahoy_probes("no pictures of the page", "video", |event| !sees(event));
    call.page.act("phone.show(true)");
    call.ahoy_probes("pictures of the page again", "video", sees);
    call.ahoy.write_line("video off");
    // Still when two looks a second apart find the same picture.
    let deadline = Instant::now() + Duration::from_secs(15);
    let shown = |call: &Call<'_>| number(&call.page.measure()["screen"], "frames");
    let mut before = shown(call);
    loop {
        call.ahoy_stats();
        call.ahoy_stats();
        let now = shown(call);
        if now == before {
            break;
        }
        before = now;
        assert!(Instant::now() < deadline, "pictures still come: {}", call.story());
    }
    call.ahoy.write_line("video on");
    call.see_and_hear(FRAME_RATE);
}

/// Either side asks for one, and picture and sound go on over it.
fn find_new_paths(call: &mut Call<'_>) {
    for asks in [Side::Page, Side::Ahoy] {
        let fragment = "phone.call.connection.localDescription.sdp.match(/ice-ufrag:(.*)/)[1]";
        let before = call.page.act(fragment);
        match asks {
            Side::Page => {
                call.page.act("phone.restart()");
            }
            Side::Ahoy => call.ahoy.write_line("restart"),
        }
        let limit = Duration::from_secs(10);
        let deadline = Instant::now() + limit;
        while call.page.act(fragment) == before {
            assert!(
                Instant::now() < deadline,
                "no restart by {asks:?}\n{}",
                call.story()
            );
            call.ahoy_stats();
        }
        call.see_and_hear(2.0 * FRAME_RATE);
        call.page.wait_for_state("connected");
    }
}

#[test]
#[ignore = "needs Chromium and its driver: cargo xtask test"]
fn a_network_that_loses_a_twentieth_is_made_up_for_both_ways() -> Result<()> {
    let _turn = serial();
    let browser = Chromium::start()?;
    for (seed, plan) in (1..).zip(LOSSY) {
        if !browser.has_picture_codec(plan.picture) {
            skip(plan, NO_CODEC);
            continue;
        }
        let link = Link::start(BAD, seed)?;
        let mut call = Call::connect(&browser, plan, Some(&link));
        let estimates: Vec<f64> = (0..lossy::SAMPLES)
            .map(|_| {
                call.ahoy_stats();
                lossy::estimate(&call.page.measure())
            })
            .collect();
        if let Some(why) = lossy::too_busy(&call.page.measure(), &link) {
            skip(plan, &why);
            continue;
        }
        call.see_and_hear(FRAME_RATE);
        let (page, ahoy) = (call.page.measure(), call.ahoy_stats());
        let ended = call.hang_up(Side::Ahoy);
        println!("{}: {}", plan.title(), lossy::link_figures(&link));
        println!("  {}", lossy::page_figures(&page, &estimates));
        println!("  {}", lossy::ahoy_figures(&ahoy));
        assert_codecs(plan, &page, &ahoy);
        lossy::assert_repaired(&page, &ahoy);
        lossy::assert_no_long_freeze(&page, &ended, &link);
        lossy::assert_estimates(&estimates, &ahoy, BAD.rate);
    }
    Ok(())
}
