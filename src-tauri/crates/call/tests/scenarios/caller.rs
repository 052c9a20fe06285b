//! Calls that this user places.

use crate::rig::*;
use ahoy_call::*;
use std::time::Duration;

#[test]
fn a_placed_call_offers_rings_and_connects() {
    let mut rig = Rig::new();
    assert_eq!(
        rig.place("c", true),
        [Action::CreateOffer {
            call: id("c"),
            video: true
        }]
    );
    assert_eq!(rig.state(), Some(CallState::Calling));

    let sent = signals(&rig.local_offer("c"));
    let [Signal::Offer(offer)] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!((&offer.from, &offer.to), (&user(1), &user(2)));
    assert_eq!(
        (offer.video, offer.negotiation, offer.sdp.as_str()),
        (true, 0, "our offer")
    );

    let ringback = Action::Ring {
        call: id("c"),
        ring: Ring::Outgoing,
    };
    assert_eq!(rig.signal(Signal::Ringing { call: id("c") }), [ringback]);
    assert_eq!(rig.state(), Some(CallState::RingingOut));

    let actions = rig.signal(answer("c"));
    assert_eq!(
        actions,
        [
            Action::Ring {
                call: id("c"),
                ring: Ring::Silent
            },
            Action::ApplyAnswer {
                call: id("c"),
                sdp: "their answer".into(),
                candidates: vec![candidate("in the answer")]
            },
            Action::StartMedia {
                call: id("c"),
                send_video: true,
                video: true
            },
        ]
    );
    assert_eq!(rig.state(), Some(CallState::Connecting));
    assert_eq!(rig.peer("c", PeerInput::Connected), []);
    let call = rig.endpoint.snapshot().expect("a live call");
    assert_eq!(call.state, CallState::Connected);
    assert_eq!(call.connected_at, Some(rig.now));
    assert_eq!(rig.endpoint.poll_timeout(), None);
}

#[test]
fn an_answer_without_ringing_is_as_good() {
    let mut rig = Rig::calling("c", false);
    let actions = rig.signal(answer("c"));
    assert!(actions.iter().any(|it| matches!(it, Action::StartMedia { .. })));
    assert!(!actions.iter().any(|it| matches!(it, Action::Ring { .. })));
}

#[test]
fn local_candidates_wait_for_the_offer() {
    let mut rig = Rig::new();
    rig.place("c", false);
    assert_eq!(rig.peer("c", PeerInput::LocalCandidate(Some(candidate("1")))), []);
    assert_eq!(rig.peer("c", PeerInput::LocalCandidate(None)), []);
    let sent = signals(&rig.local_offer("c"));
    assert!(matches!(sent[0], Signal::Offer(_)));
    let trickled = |candidate| Signal::Candidate {
        call: id("c"),
        candidate,
    };
    assert_eq!(sent[1..], [trickled(Some(candidate("1"))), trickled(None)]);
    let later = rig.peer("c", PeerInput::LocalCandidate(Some(candidate("2"))));
    assert_eq!(signals(&later), [trickled(Some(candidate("2")))]);
}

#[test]
fn remote_candidates_wait_for_the_answer_up_to_their_limit() {
    let mut rig = Rig::calling("c", false);
    let mut send = |candidate| {
        let call = id("c");
        rig.signal(Signal::Candidate { call, candidate })
    };
    for number in 0..70 {
        assert_eq!(send(Some(candidate(&number.to_string()))), []);
    }
    assert_eq!(send(None), []);
    assert_eq!(rig.endpoint.ignored(), 6);

    let actions = rig.signal(answer("c"));
    let Action::ApplyAnswer { candidates, .. } = &actions[0] else {
        panic!("{actions:?}");
    };
    assert_eq!(candidates.len(), 64);
    assert_eq!(candidates[63], candidate("63"));
    assert_eq!(
        actions[1],
        Action::AddCandidate {
            call: id("c"),
            candidate: None
        }
    );
}

#[test]
fn cancelling_before_the_offer_is_made_sends_nothing_then_or_later() {
    let mut rig = Rig::new();
    rig.place("c", true);
    let actions = rig.hang_up("c");
    assert_eq!(signals(&actions), []);
    assert_eq!(stops(&actions), 1);
    assert_eq!(ended(&actions).cause, EndCause::Cancelled);
    assert_eq!(rig.local_offer("c"), []);
    assert_idle(&rig);
}

#[test]
fn cancelling_a_ringing_call_tells_the_callee() {
    let mut rig = Rig::calling("c", false);
    rig.signal(Signal::Ringing { call: id("c") });
    let actions = rig.hang_up("c");
    let told = end("c", EndReason::UserHangup, Some(EndDetail::Cancelled));
    assert_eq!(signals(&actions), [told]);
    assert_eq!(
        actions[0],
        Action::Ring {
            call: id("c"),
            ring: Ring::Silent
        }
    );
    let end = ended(&actions);
    assert_eq!(
        (end.cause, end.by_us, end.answered, end.duration),
        (EndCause::Cancelled, true, false, Duration::ZERO)
    );
    assert_idle(&rig);
}

#[test]
fn every_word_of_the_callee_ends_an_unanswered_call_with_its_cause() {
    let table = [
        (EndReason::UserRejected, None, EndCause::Declined),
        (
            EndReason::UserRejected,
            Some(EndDetail::MediaFailure),
            EndCause::MediaFailed,
        ),
        (EndReason::UserBusy, None, EndCause::Busy),
        (EndReason::Timeout, Some(EndDetail::Ring), EndCause::NoAnswer),
        (EndReason::NetworkError, None, EndCause::ConnectionLost),
        (EndReason::ServerError, None, EndCause::ServerProblem),
    ];
    for (reason, detail, cause) in table {
        let mut rig = Rig::calling("c", false);
        let actions = rig.signal(end("c", reason, detail.clone()));
        let end = ended(&actions);
        assert_eq!(
            (end.cause, end.reason, end.detail, end.by_us),
            (cause, reason, detail, false)
        );
        assert_eq!(signals(&actions), [], "an end is never answered");
        assert_eq!(stops(&actions), 1);
        assert_idle(&rig);
    }
}

#[test]
fn a_fatal_refusal_is_the_end_and_no_end_is_sent() {
    let table = [
        (RefusalCode::UserOffline, EndCause::NotReachable),
        (RefusalCode::UserNotFound, EndCause::NotReachable),
        (RefusalCode::NotPermitted, EndCause::NotPermitted),
        (RefusalCode::BadSdp, EndCause::IncompatibleOffer),
        (RefusalCode::AlreadyInCall, EndCause::Busy),
        (RefusalCode::RateLimited, EndCause::RateLimited),
        (RefusalCode::CallsUnsupported, EndCause::CallsUnsupported),
        (RefusalCode::StreamNotFound, EndCause::StreamNotFound),
        (RefusalCode::StreamTaken, EndCause::StreamTaken),
    ];
    for (code, cause) in table {
        let mut rig = Rig::calling("c", false);
        let actions = rig.signal(refused(Some("c"), code, true, None));
        assert_eq!(ended(&actions).cause, cause);
        assert_eq!(signals(&actions), []);
        assert_eq!(stops(&actions), 1);
        assert_idle(&rig);
    }
}

#[test]
fn a_refusal_that_is_not_fatal_ends_nothing() {
    let mut rig = Rig::calling("c", false);
    let refusal = refused(Some("c"), RefusalCode::DuplicateCallId, false, None);
    assert_eq!(rig.signal(refusal), []);
    assert_eq!(rig.state(), Some(CallState::Calling));
    assert_eq!(rig.pass(10), [], "an error counts as a sign of life");
}

#[test]
fn a_fatal_refusal_without_a_call_means_the_offer_just_sent_and_no_other_call() {
    let nameless = || refused(None, RefusalCode::RateLimited, true, None);
    let mut rig = Rig::calling("c", false);
    assert_eq!(ended(&rig.signal(nameless())).cause, EndCause::RateLimited);
    for mut rig in [Rig::connected("c"), Rig::ringing("c", false), Rig::new()] {
        assert_eq!(rig.signal(nameless()), []);
        assert_eq!(rig.endpoint.ignored(), 1);
    }
}

#[test]
fn the_identical_offer_is_repeated_once_after_five_silent_seconds() {
    let mut rig = Rig::new();
    rig.place("c", false);
    let first = signals(&rig.local_offer("c"));
    assert_eq!(rig.pass(4), []);
    assert_eq!(signals(&rig.pass(1)), first);
    assert_eq!(rig.pass(20), []);
}

#[test]
fn no_offer_is_repeated_after_ringing_or_in_basic_mode() {
    let mut rig = Rig::calling("c", false);
    rig.signal(Signal::Ringing { call: id("c") });
    assert_eq!(rig.pass(20), []);

    let mut rig = Rig::basic();
    rig.place("c", false);
    rig.local_offer("c");
    assert_eq!(rig.pass(20), []);
}

#[test]
fn nobody_answers_and_the_callers_guard_ends_the_call() {
    let mut rig = Rig::calling("c", false);
    rig.signal(Signal::Ringing { call: id("c") });
    assert_eq!(rig.pass(34), []);
    let actions = rig.pass(1);
    assert_eq!(
        signals(&actions),
        [end("c", EndReason::Timeout, Some(EndDetail::Ring))]
    );
    assert_eq!(ended(&actions).cause, EndCause::NoAnswer);
    assert_idle(&rig);
}

#[test]
fn a_peer_connection_that_never_offers_ends_the_call_quietly() {
    for failure in [PeerInput::MediaFailed, PeerInput::DescriptionFailed] {
        let mut rig = Rig::new();
        rig.place("c", false);
        let actions = rig.peer("c", failure);
        assert_eq!(signals(&actions), []);
        assert_eq!(ended(&actions).cause, EndCause::MediaFailed);
        assert_idle(&rig);
    }
    let mut rig = Rig::new();
    rig.place("c", false);
    let actions = rig.pass(35);
    assert_eq!(signals(&actions), []);
    assert_eq!(ended(&actions).cause, EndCause::MediaFailed);
}

#[test]
fn an_answer_that_cannot_be_applied_ends_both_sides() {
    let mut rig = Rig::connecting("c");
    let actions = rig.peer("c", PeerInput::DescriptionFailed);
    assert_eq!(
        signals(&actions),
        [end("c", EndReason::NetworkError, Some(EndDetail::BadSdp))]
    );
    assert_eq!(ended(&actions).cause, EndCause::IncompatibleOffer);
}

#[test]
fn a_user_calls_nobody_else_meanwhile_and_never_himself() {
    let mut rig = Rig::new();
    let place = |to| Command::PlaceCall {
        call: id("d"),
        to,
        video: false,
        constraints: Constraints::default(),
        hide_addresses: false,
        stream: None,
    };
    let now = rig.now;
    assert_eq!(
        rig.endpoint.handle_command(now, place(user(1))),
        Err(CommandError::SelfCall)
    );
    rig.place("c", false);
    assert_eq!(
        rig.endpoint.handle_command(now, place(user(3))),
        Err(CommandError::AlreadyInCall)
    );
    let command = Command::HangUp { call: id("d") };
    assert_eq!(
        rig.endpoint.handle_command(now, command),
        Err(CommandError::UnknownCall)
    );
    let command = Command::Accept {
        call: id("c"),
        video: false,
    };
    assert_eq!(
        rig.endpoint.handle_command(now, command),
        Err(CommandError::WrongState)
    );
    assert_eq!(rig.state(), Some(CallState::Calling));
}
