//! Signals that are late, foreign, forged or in the wrong state (GOALS S1, S2, S5).

use crate::rig::*;
use ahoy_call::*;

/// Every signal there is, about `call`.
fn all_about(call: &str) -> Vec<Signal> {
    vec![
        Signal::Ringing { call: id(call) },
        answer(call),
        Signal::AnsweredElsewhere { call: id(call) },
        Signal::Candidate {
            call: id(call),
            candidate: Some(candidate("late")),
        },
        end(call, EndReason::UserHangup, None),
        end(call, EndReason::UserBusy, None),
        refused(Some(call), RefusalCode::UserOffline, true, None),
        refused(Some(call), RefusalCode::Glare, true, Some("z")),
        Signal::Renegotiate {
            call: id(call),
            ice_restart: true,
            video: None,
        },
    ]
}

#[test]
fn signals_of_another_call_touch_nothing() {
    let rigs: [fn() -> Rig; 6] = [
        Rig::new,
        || Rig::calling("c", true),
        || Rig::ringing("c", true),
        || Rig::connecting("c"),
        || Rig::answered("c"),
        || Rig::connected("c"),
    ];
    for rig in rigs {
        let mut rig = rig();
        let before = (rig.endpoint.snapshot(), rig.endpoint.poll_timeout());
        for signal in all_about("foreign") {
            let ignored = rig.endpoint.ignored();
            assert_eq!(rig.signal(signal.clone()), [], "{signal:?}");
            assert_eq!(rig.endpoint.ignored(), ignored + 1, "{signal:?}");
        }
        assert_eq!((rig.endpoint.snapshot(), rig.endpoint.poll_timeout()), before);
    }
}

#[test]
fn everything_after_the_end_is_ignored_and_counted() {
    let mut rig = Rig::answered("c");
    rig.hang_up("c");
    let ignored = rig.endpoint.ignored();
    let mut inputs = 0;
    for signal in all_about("c") {
        assert_eq!(rig.signal(signal), []);
        inputs += 1;
    }
    for input in [
        PeerInput::LocalOffer { sdp: "o".into() },
        PeerInput::LocalAnswer { sdp: "a".into() },
        PeerInput::LocalCandidate(None),
        PeerInput::Connected,
        PeerInput::Disconnected,
        PeerInput::Failed,
        PeerInput::DescriptionFailed,
        PeerInput::MediaFailed,
    ] {
        assert_eq!(rig.peer("c", input), []);
        inputs += 1;
    }
    assert_eq!(rig.endpoint.ignored(), ignored + inputs);
    assert_idle(&rig);
}

#[test]
fn a_callee_who_does_not_know_that_the_call_is_over_is_told_once_more() {
    let cancelled = || end("c", EndReason::UserHangup, Some(EndDetail::Cancelled));
    let mut hung_up = Rig::calling("c", false);
    hung_up.hang_up("c");
    let mut refused_by_server = Rig::calling("c", false);
    refused_by_server.signal(refused(Some("c"), RefusalCode::AlreadyInCall, true, None));
    for mut rig in [hung_up, refused_by_server] {
        for late in [Signal::Ringing { call: id("c") }, answer("c")] {
            assert_eq!(rig.signal(late), [Action::SendSignal(cancelled())]);
        }
        assert_idle(&rig);
    }
    let mut never_offered = Rig::new();
    never_offered.place("c", false);
    never_offered.hang_up("c");
    assert_eq!(never_offered.signal(answer("c")), []);
}

#[test]
fn an_answer_or_connection_at_a_ringing_callee_opens_no_microphone() {
    let mut rig = Rig::ringing("c", true);
    assert_eq!(rig.signal(answer("c")), []);
    assert_eq!(rig.signal(Signal::Ringing { call: id("c") }), []);
    assert_eq!(rig.peer("c", PeerInput::Connected), []);
    assert_eq!(rig.local_answer("c"), []);
    assert_eq!(rig.state(), Some(CallState::RingingIn));
}

#[test]
fn another_offer_with_the_id_of_a_ringing_call_changes_nothing() {
    let mut rig = Rig::ringing("c", true);
    let forged = [
        Offer {
            from: user(3),
            ..offer("c", true)
        },
        Offer {
            sdp: "other media".into(),
            ..offer("c", true)
        },
        Offer {
            negotiation: 1,
            sdp: "other media".into(),
            ..offer("c", true)
        },
    ];
    for offer in forged {
        assert_eq!(rig.offer(offer), []);
    }
    let actions = rig.accept("c", false);
    assert!(matches!(&actions[1], Action::CreateAnswer { offer_sdp, .. } if offer_sdp == "offer of c"));
}

#[test]
fn an_offer_that_is_old_or_not_for_us_or_from_us_does_not_ring() {
    let strays = [
        Offer {
            expires_in: Some(std::time::Duration::ZERO),
            ..offer("c", false)
        },
        Offer {
            to: user(3),
            ..offer("c", false)
        },
        Offer {
            from: user(1),
            ..offer("c", false)
        },
        Offer {
            negotiation: 2,
            ..offer("c", false)
        },
    ];
    for offer in strays {
        let mut rig = Rig::new();
        assert_eq!(rig.offer(offer), []);
        assert_eq!(rig.endpoint.ignored(), 1);
        assert_idle(&rig);
    }
}

#[test]
fn an_offer_that_comes_after_its_call_ended_does_not_ring() {
    let mut rig = Rig::ringing("c", false);
    rig.signal(end("c", EndReason::UserHangup, Some(EndDetail::Cancelled)));
    assert_eq!(rig.offer(offer("c", false)), []);
    assert_idle(&rig);
}

#[test]
fn a_second_caller_is_told_busy_and_the_call_goes_on() {
    let rigs: [fn() -> Rig; 4] = [
        || Rig::calling("c", true),
        || Rig::ringing("c", true),
        || Rig::answered("c"),
        || Rig::connected("c"),
    ];
    for rig in rigs {
        let mut rig = rig();
        let before = rig.endpoint.snapshot();
        let second = Offer {
            from: user(3),
            ..offer("second", false)
        };
        let busy = [end("second", EndReason::UserBusy, None)];
        assert_eq!(signals(&rig.offer(second.clone())), busy);
        assert_eq!(
            signals(&rig.offer(second)),
            busy,
            "and told again when asked again"
        );
        assert_eq!(rig.endpoint.snapshot(), before);
    }
}

#[test]
fn a_peer_that_calls_again_from_within_the_call_is_told_busy() {
    let mut rig = Rig::connected("c");
    let sent = signals(&rig.offer(offer("again", false)));
    assert_eq!(sent, [end("again", EndReason::UserBusy, None)]);
    assert_eq!(rig.state(), Some(CallState::Connected));
}

#[test]
fn the_next_call_works_after_every_kind_of_end() {
    let mut rig = Rig::new();
    for round in 0..200 {
        let call = format!("c{round}");
        match round % 3 {
            0 => {
                rig.place(&call, false);
                rig.hang_up(&call);
            }
            1 => {
                rig.offer(offer(&call, false));
                rig.command(Command::Decline { call: id(&call) });
            }
            _ => {
                rig.offer(offer(&call, false));
                rig.accept(&call, false);
                rig.local_answer(&call);
                rig.peer(&call, PeerInput::Connected);
                rig.signal(end(&call, EndReason::UserHangup, None));
            }
        }
        assert_idle(&rig);
    }
}
