//! From the answer to the end of an answered call.

use crate::rig::*;
use ahoy_call::*;
use std::time::Duration;

#[test]
fn hanging_up_tells_the_other_side_and_counts_from_the_answer() {
    let mut rig = Rig::connecting("c");
    rig.pass(2);
    rig.peer("c", PeerInput::Connected);
    rig.pass(40);
    let actions = rig.hang_up("c");
    assert_eq!(signals(&actions), [end("c", EndReason::UserHangup, None)]);
    assert_eq!(stops(&actions), 1);
    let end = ended(&actions);
    assert_eq!(
        (end.cause, end.by_us, end.answered),
        (EndCause::HungUp, true, true)
    );
    assert_eq!(end.duration, Duration::from_secs(42));
    assert_idle(&rig);
}

#[test]
fn the_other_side_hangs_up() {
    for mut rig in [Rig::connecting("c"), Rig::connected("c"), Rig::answered("c")] {
        let actions = rig.signal(end("c", EndReason::UserHangup, None));
        assert_eq!(signals(&actions), []);
        assert_eq!(stops(&actions), 1);
        let end = ended(&actions);
        assert_eq!(
            (end.cause, end.by_us, end.answered),
            (EndCause::HungUp, false, true)
        );
        assert_idle(&rig);
    }
}

#[test]
fn an_answer_that_does_not_connect_in_thirty_seconds_ends_both_sides() {
    for mut rig in [Rig::connecting("c"), Rig::answered("c")] {
        assert_eq!(rig.pass(29), []);
        let actions = rig.pass(1);
        let told = end("c", EndReason::NetworkError, Some(EndDetail::IceFailed));
        assert_eq!(signals(&actions), [told]);
        assert_eq!(ended(&actions).cause, EndCause::ConnectionLost);
        assert_idle(&rig);
    }
}

#[test]
fn a_lost_connection_that_returns_at_once_is_left_alone() {
    let mut rig = Rig::connected("c");
    let since = rig.now;
    rig.pass(10);
    assert_eq!(rig.peer("c", PeerInput::Disconnected), []);
    assert_eq!(rig.state(), Some(CallState::Reconnecting));
    assert_eq!(rig.pass(2), []);
    rig.peer("c", PeerInput::Connected);
    let call = rig.endpoint.snapshot().expect("a live call");
    assert_eq!(
        (call.state, call.connected_at),
        (CallState::Connected, Some(since))
    );
    assert_eq!(rig.pass(100), []);
}

#[test]
fn a_lost_connection_that_stays_away_ends_the_call_after_thirty_seconds() {
    for mut rig in [Rig::connected("c"), Rig::callee_connected("c")] {
        rig.peer("c", PeerInput::Disconnected);
        assert!(ends(&rig.pass(29)).is_empty());
        let actions = rig.pass(1);
        let told = end("c", EndReason::NetworkError, Some(EndDetail::IceFailed));
        assert!(signals(&actions).contains(&told));
        let end = ended(&actions);
        assert_eq!((end.cause, end.by_us), (EndCause::ConnectionLost, true));
        assert_eq!(end.duration, Duration::from_secs(30));
        assert_idle(&rig);
    }
}

#[test]
fn a_second_loss_has_its_own_thirty_seconds() {
    let mut rig = Rig::connected("c");
    rig.peer("c", PeerInput::Disconnected);
    rig.pass(2);
    rig.peer("c", PeerInput::Connected);
    rig.peer("c", PeerInput::Disconnected);
    assert!(ends(&rig.pass(29)).is_empty());
    assert_eq!(ended(&rig.pass(1)).cause, EndCause::ConnectionLost);
}

#[test]
fn a_transport_that_failed_restarts_within_the_same_thirty_seconds() {
    for (mut rig, left) in [(Rig::connecting("c"), 30), (Rig::connected("c"), 30)] {
        let restart = Action::CreateReoffer {
            call: id("c"),
            restart: true,
            video: Direction::Inactive,
        };
        assert_eq!(rig.peer("c", PeerInput::Failed), [restart]);
        assert!(ends(&rig.pass(left - 1)).is_empty());
        assert_eq!(ended(&rig.pass(1)).cause, EndCause::ConnectionLost);
        assert_idle(&rig);
    }
}

#[test]
fn server_trouble_and_lost_media_are_told_apart() {
    for (reason, cause) in [
        (EndReason::ServerError, EndCause::ServerProblem),
        (EndReason::NetworkError, EndCause::ConnectionLost),
        (EndReason::Timeout, EndCause::ConnectionLost),
    ] {
        let mut rig = Rig::connected("c");
        assert_eq!(ended(&rig.signal(end("c", reason, None))).cause, cause);
    }
}

#[test]
fn media_that_breaks_beyond_repair_ends_the_call() {
    let mut rig = Rig::connected("c");
    let actions = rig.peer("c", PeerInput::MediaFailed);
    let told = end("c", EndReason::UserHangup, Some(EndDetail::MediaFailure));
    assert_eq!(signals(&actions), std::slice::from_ref(&told));
    assert_eq!(ended(&actions).cause, EndCause::MediaFailed);

    let end = ended(&Rig::connected("c").signal(told));
    assert_eq!((end.cause, end.by_us), (EndCause::MediaFailed, false));
}

#[test]
fn refusals_and_reports_end_nothing_once_media_flows() {
    let mut rig = Rig::connected("c");
    for code in [
        RefusalCode::UnknownCall,
        RefusalCode::AnsweredElsewhere,
        RefusalCode::BadSdp,
        RefusalCode::Other("wrong_device".into()),
    ] {
        assert_eq!(rig.signal(refused(Some("c"), code, true, None)), []);
    }
    let report = Report {
        connected: false,
        duration: None,
        audio_quality: None,
        video_quality: None,
        network: None,
        media: None,
    };
    let call = id("c");
    assert_eq!(rig.signal(Signal::Report { call, report }), []);
    assert_eq!(rig.state(), Some(CallState::Connected));
}
