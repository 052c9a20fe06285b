//! A two-way call with a media server: one stream is pushed, another is played, and to the person it is one call.

use ahoy_tests::media_server::{AWAITED, KEEPER, MISSING, MediaServer, TAKEN};
use ahoy_tests::{Event, Party, TestServer, is_state, name, serial};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// The signaling server, the media server beside it, and who calls it.
struct Scene {
    _server: TestServer,
    media: MediaServer,
    caller: Party,
}

impl Scene {
    /// Pushes one stream and plays another.
    fn begin(push: &str, play: &str) -> Self {
        let server = TestServer::start();
        let rooms = server.listening()["rooms"].as_str().expect("listening has rooms");
        let media = MediaServer::start(rooms);
        let call = ["call", "--server", &media.url, "--room", "bob", "--to", KEEPER];
        let streams = ["--app", "live", "--stream", push, "--play-stream", play];
        let sends = ["--video", "--mic", "tone:440", "--camera", "pattern:320x180@15"];
        let probed = ["--speaker", "probe", "--screen", "probe"];
        let kind = ["--type", "two-way"];
        let caller = Party::run("bob", &[&call[..], &kind, &streams, &sends, &probed].concat());
        Self {
            _server: server,
            media,
            caller,
        }
    }

    fn wait_for_notice(&mut self, code: &str) -> String {
        let notice = self.caller.wait_within(code, LIMIT, |event| {
            name(event) == "notice" && event["code"] == code
        });
        notice["text"].as_str().expect("a notice has a text").to_owned()
    }

    /// Hangs up, and the call ends well and once, with a goodbye to each half that was left.
    fn hang_up(&mut self, halves: usize) {
        self.caller.write_line("hangup");
        let end = self.caller.wait_for_end(LIMIT);
        assert_eq!(
            (
                end["reason"].as_str(),
                end["cause"].as_str(),
                end["by_us"].as_bool()
            ),
            (Some("user_hangup"), Some("hung_up"), Some(true)),
            "{}",
            self.caller.story()
        );
        assert_eq!(self.caller.exit_code(LIMIT), Some(0), "{}", self.caller.story());
        let events = self.caller.seen();
        let ends = events.iter().filter(|event| name(event) == "ended");
        assert_eq!(ends.count(), 1, "one call has one end\n{}", self.caller.story());
        let ids: Vec<_> = events
            .iter()
            .filter(|event| ["state", "ended"].contains(&name(event)))
            .map(|event| event["call_id"].to_string())
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(self.media.byes(halves), halves, "{}", self.caller.story());
    }
}

/// A half that was up is told that it is over.
fn expect_bye(party: &mut Party) {
    let end = party.wait_for_end(LIMIT);
    assert_eq!(
        (end["reason"].as_str(), end["by_us"].as_bool()),
        (Some("user_hangup"), Some(false)),
        "{}",
        party.story()
    );
}

/// How loud it is at the party, once a second.
fn level(event: &Event) -> Option<f64> {
    event["audio_in"]["audioLevel"].as_f64()
}

#[test]
fn what_is_pushed_arrives_what_is_played_is_received_and_one_hang_up_ends_both() {
    let _turn = serial();
    let mut scene = Scene::begin("desk", "harbor");
    scene.caller.wait_for_state("connected");
    // Each half alone knows one way, and "clear both ways" takes both. It is said once, so it is waited for before what
    // is said every second.
    scene.caller.wait_within("a verdict", LIMIT, |event| {
        name(event) == "verdict" && event["level"] == "good"
    });
    scene.media.pushed.sees(LIMIT);
    scene.media.pushed.hears(440.0, LIMIT);
    scene.caller.sees(LIMIT);
    scene.caller.hears(660.0, LIMIT);
    let both_ways = |event: &Event| {
        let counts = [
            &event["audio_out"]["packetsSent"],
            &event["video_out"]["framesEncoded"],
            &event["audio_in"]["packetsReceived"],
            &event["video_in"]["framesDecoded"],
        ];
        name(event) == "stats" && counts.iter().all(|count| count.as_u64() > Some(0))
    };
    scene.caller.wait_for("figures of both ways", both_ways);
    let notices = |event: &&Event| name(event) == "notice";
    assert_eq!(scene.caller.seen().iter().filter(notices).count(), 0);
    scene.hang_up(2);
    expect_bye(&mut scene.media.pushed);
    expect_bye(&mut scene.media.played);
    let connected = |event: &&Event| is_state(event, "connected");
    assert_eq!(scene.caller.seen().iter().filter(connected).count(), 1);
    assert_eq!(
        scene
            .media
            .played
            .seen()
            .iter()
            .rfind(|event| name(event) == "stats")
            .map(|stats| { stats["audio_in"]["packetsReceived"].as_u64() }),
        Some(Some(0)),
        "nothing is sent to where the picture comes from"
    );
}

#[test]
fn mute_and_camera_act_on_what_is_pushed() {
    let _turn = serial();
    let mut scene = Scene::begin("desk", "harbor");
    scene.media.pushed.sees(LIMIT);
    scene.caller.hears(660.0, LIMIT);
    scene.caller.write_line("mute on");
    scene
        .media
        .pushed
        .wait_for("silence", |event| level(event).is_some_and(|level| level < 0.001));
    scene.caller.hears(660.0, LIMIT);
    scene.caller.write_line("mute off");
    scene.media.pushed.wait_for("the tone again", |event| {
        level(event).is_some_and(|level| level > 0.05)
    });
    let rate = |event: &Event| event["video_in"]["framesPerSecond"].as_f64();
    scene.caller.write_line("video off");
    scene
        .media
        .pushed
        .wait_for("no pictures", |event| rate(event).is_some_and(|rate| rate < 0.5));
    assert!(!scene.caller.media_threads().iter().any(|name| name == "cam"));
    scene.caller.write_line("video on");
    scene.media.pushed.wait_for("pictures again", |event| {
        rate(event).is_some_and(|rate| rate > 5.0)
    });
    scene.hang_up(2);
}

#[test]
fn a_stream_that_somebody_else_pushes_is_said_so_and_the_other_is_seen_all_the_same() {
    let _turn = serial();
    let mut scene = Scene::begin(TAKEN, "harbor");
    let text = scene.wait_for_notice("push_ended");
    assert!(
        text.contains("stream_taken") && text.contains("live/taken"),
        "{text}"
    );
    scene
        .caller
        .wait_within("connected", LIMIT, |event| is_state(event, "connected"));
    scene.caller.sees(LIMIT);
    scene.caller.hears(660.0, LIMIT);
    let devices = scene.caller.media_threads();
    assert!(
        !devices.iter().any(|name| name == "cam"),
        "a camera that nobody takes pictures of is open: {devices:?}"
    );
    scene.hang_up(1);
    expect_bye(&mut scene.media.played);
}

#[test]
fn a_stream_that_is_not_there_is_said_so_and_the_own_is_sent_all_the_same() {
    let _turn = serial();
    let mut scene = Scene::begin("desk", MISSING);
    let text = scene.wait_for_notice("play_ended");
    assert!(
        text.contains("stream_not_found") && text.contains("live/missing"),
        "{text}"
    );
    scene.media.pushed.sees(LIMIT);
    scene.media.pushed.hears(440.0, LIMIT);
    scene.hang_up(1);
    expect_bye(&mut scene.media.pushed);
}

#[test]
fn a_call_of_which_neither_half_is_taken_ends() {
    let _turn = serial();
    let mut scene = Scene::begin(TAKEN, MISSING);
    let end = scene.caller.wait_for_end(LIMIT);
    let cause = end["cause"].as_str().expect("an end has a cause");
    assert!(["stream_taken", "stream_not_found"].contains(&cause), "{end}");
    assert_eq!(scene.caller.exit_code(LIMIT), Some(4), "{}", scene.caller.story());
}

#[test]
fn a_stream_that_is_waited_for_is_said_so_and_given_up_with_the_call() {
    let _turn = serial();
    let mut scene = Scene::begin("desk", AWAITED);
    scene.caller.wait_for_state("connected");
    let text = scene.wait_for_notice("play_pending");
    assert!(text.contains("live/awaited"), "{text}");
    scene.media.pushed.hears(440.0, LIMIT);
    scene.hang_up(2);
    expect_bye(&mut scene.media.pushed);
}

#[test]
fn a_half_that_the_media_server_ends_leaves_the_other() {
    let _turn = serial();
    let mut scene = Scene::begin("desk", "harbor");
    scene.media.pushed.sees(LIMIT);
    scene.caller.sees(LIMIT);
    // The signaling server says the goodbye of who is gone.
    scene.media.played.kill();
    let text = scene.wait_for_notice("play_ended");
    assert!(text.contains("hung_up") && text.contains("live/harbor"), "{text}");
    scene.media.pushed.hears(440.0, LIMIT);
    scene.hang_up(1);
    expect_bye(&mut scene.media.pushed);
}
