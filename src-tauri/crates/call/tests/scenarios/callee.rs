//! Calls that ring here.

use crate::rig::*;
use ahoy_call::*;
use std::time::Duration;

#[test]
fn an_offer_rings_without_touching_media() {
    let mut rig = Rig::new();
    let actions = rig.offer(offer("c", true));
    assert_eq!(
        actions,
        [
            Action::SendSignal(Signal::Ringing { call: id("c") }),
            Action::Ring {
                call: id("c"),
                ring: Ring::Incoming
            },
        ]
    );
    let call = rig.endpoint.snapshot().expect("a live call");
    assert_eq!(call.state, CallState::RingingIn);
    assert_eq!((call.peer, call.peer_name.as_deref()), (user(2), Some("Maya")));
    assert_eq!((call.outgoing, call.video, call.send_video), (false, true, false));
}

#[test]
fn accepting_answers_with_the_candidates_that_came_before() {
    let mut rig = Rig::ringing("c", true);
    let call = id("c");
    rig.signal(Signal::Candidate {
        call: call.clone(),
        candidate: Some(candidate("trickled")),
    });
    let actions = rig.accept("c", true);
    assert_eq!(
        actions,
        [
            Action::Ring {
                call: call.clone(),
                ring: Ring::Silent
            },
            Action::CreateAnswer {
                call: call.clone(),
                offer_sdp: "offer of c".into(),
                video: true,
                remote_video: true,
                candidates: vec![candidate("in the offer"), candidate("trickled")],
            },
            Action::StartMedia {
                call: call.clone(),
                send_video: true,
                video: true
            },
        ]
    );
    assert_eq!(rig.state(), Some(CallState::Connecting));

    let late = Signal::Candidate {
        call: call.clone(),
        candidate: None,
    };
    assert_eq!(
        rig.signal(late),
        [Action::AddCandidate {
            call: call.clone(),
            candidate: None
        }]
    );
    assert_eq!(
        rig.peer("c", PeerInput::LocalCandidate(Some(candidate("own")))),
        [],
        "own candidates wait for the answer"
    );
    let sent = signals(&rig.local_answer("c"));
    assert!(matches!(&sent[0], Signal::Answer { sdp, .. } if sdp == "our answer"));
    assert_eq!(
        sent[1..],
        [Signal::Candidate {
            call,
            candidate: Some(candidate("own"))
        }]
    );
    rig.peer("c", PeerInput::Connected);
    assert_eq!(rig.state(), Some(CallState::Connected));
}

#[test]
fn the_camera_is_sent_only_if_the_user_and_the_call_say_video() {
    for (call_is_video, accepted_with_video, sends) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
        (false, false, false),
    ] {
        let mut rig = Rig::ringing("c", call_is_video);
        let actions = rig.accept("c", accepted_with_video);
        assert!(actions.contains(&Action::StartMedia {
            call: id("c"),
            send_video: sends,
            video: call_is_video
        }));
        assert_eq!(rig.endpoint.snapshot().map(|call| call.send_video), Some(sends));
    }
}

#[test]
fn no_candidate_leaves_before_accept() {
    let mut rig = Rig::ringing("c", false);
    assert_eq!(
        rig.peer("c", PeerInput::LocalCandidate(Some(candidate("own")))),
        []
    );
    rig.accept("c", false);
    assert_eq!(signals(&rig.local_answer("c")).len(), 1);
}

#[test]
fn answers_carry_the_constraints_of_this_user() {
    let mut rig = Rig::new();
    let wish = Constraints {
        max_bandwidth: Some(300_000),
        ..Constraints::default()
    };
    rig.endpoint.set_answer_constraints(Some(wish.clone()));
    rig.offer(offer("c", false));
    rig.accept("c", false);
    let sent = signals(&rig.local_answer("c"));
    assert!(matches!(&sent[0], Signal::Answer { constraints: Some(sent), .. } if *sent == wish));
}

#[test]
fn declining_and_being_busy_tell_the_caller_and_open_nothing() {
    for (command, reason, cause) in [
        (
            Command::Decline { call: id("c") },
            EndReason::UserRejected,
            EndCause::Declined,
        ),
        (
            Command::Busy { call: id("c") },
            EndReason::UserBusy,
            EndCause::Busy,
        ),
        (
            Command::HangUp { call: id("c") },
            EndReason::UserRejected,
            EndCause::Declined,
        ),
    ] {
        let mut rig = Rig::ringing("c", true);
        let actions = rig.command(command);
        assert_eq!(signals(&actions), [end("c", reason, None)]);
        assert_eq!(stops(&actions), 0);
        assert_eq!(
            actions[0],
            Action::Ring {
                call: id("c"),
                ring: Ring::Silent
            }
        );
        let end = ended(&actions);
        assert_eq!((end.cause, end.by_us), (cause, true));
        assert_idle(&rig);
    }
}

#[test]
fn a_caller_who_gives_up_leaves_a_missed_call() {
    for (reason, detail) in [
        (EndReason::UserHangup, Some(EndDetail::Cancelled)),
        (EndReason::Timeout, Some(EndDetail::Ring)),
        (EndReason::NetworkError, Some(EndDetail::SignalingLost)),
    ] {
        let mut rig = Rig::ringing("c", false);
        let actions = rig.signal(end("c", reason, detail));
        assert_eq!(signals(&actions), []);
        let end = ended(&actions);
        assert_eq!(
            (end.cause, end.by_us, end.answered),
            (EndCause::Missed, false, false)
        );
        assert_idle(&rig);
    }
}

#[test]
fn another_device_that_answers_silences_this_one_without_a_word() {
    let mut rig = Rig::ringing("c", false);
    let actions = rig.signal(Signal::AnsweredElsewhere { call: id("c") });
    assert_eq!(signals(&actions), []);
    assert_eq!(ended(&actions).cause, EndCause::AnsweredElsewhere);

    for late in [
        Signal::AnsweredElsewhere { call: id("c") },
        refused(Some("c"), RefusalCode::AnsweredElsewhere, true, None),
    ] {
        let mut rig = Rig::answered("c");
        let actions = rig.signal(late);
        assert_eq!(signals(&actions), []);
        assert_eq!(stops(&actions), 1);
        assert_eq!(ended(&actions).cause, EndCause::AnsweredElsewhere);
        assert_idle(&rig);
    }
}

#[test]
fn ringing_stops_by_itself_five_seconds_after_the_offer_expires() {
    let mut rig = Rig::new();
    rig.offer(Offer {
        expires_in: Some(Duration::from_secs(12)),
        ..offer("c", false)
    });
    assert_eq!(rig.pass(16), []);
    let actions = rig.pass(1);
    assert_eq!(ended(&actions).cause, EndCause::Missed);
    assert_idle(&rig);
}

#[test]
fn an_absurd_ring_time_is_cut() {
    let mut rig = Rig::new();
    rig.offer(Offer {
        expires_in: Some(Duration::MAX),
        ..offer("c", false)
    });
    assert_eq!(
        rig.endpoint.poll_timeout(),
        Some(rig.now + Duration::from_secs(125))
    );
}

#[test]
fn a_repeated_offer_does_not_ring_twice() {
    let mut rig = Rig::ringing("c", false);
    let again = rig.offer(offer("c", false));
    assert_eq!(again, [Action::SendSignal(Signal::Ringing { call: id("c") })]);
    rig.accept("c", false);
    assert_eq!(rig.offer(offer("c", false)), []);
    rig.local_answer("c");
    assert_eq!(rig.offer(offer("c", false)), []);
}

#[test]
fn a_repeated_offer_of_a_declined_call_is_declined_again() {
    let mut rig = Rig::ringing("c", false);
    let first = signals(&rig.command(Command::Decline { call: id("c") }));
    let again = rig.offer(offer("c", false));
    assert_eq!(signals(&again), first);
    assert_eq!(again.len(), 1, "and nothing rings");
    assert_idle(&rig);
}

#[test]
fn a_microphone_that_fails_on_accept_rejects_the_call() {
    let mut rig = Rig::ringing("c", false);
    rig.accept("c", false);
    let actions = rig.peer("c", PeerInput::MediaFailed);
    let told = end("c", EndReason::UserRejected, Some(EndDetail::MediaFailure));
    assert_eq!(signals(&actions), [told]);
    assert_eq!(stops(&actions), 1);
    let end = ended(&actions);
    assert_eq!((end.cause, end.by_us), (EndCause::MediaFailed, true));
    assert_eq!(rig.local_answer("c"), []);
    assert_idle(&rig);
}

#[test]
fn an_offer_that_cannot_be_applied_rejects_the_call() {
    let mut rig = Rig::ringing("c", false);
    rig.accept("c", false);
    let actions = rig.peer("c", PeerInput::DescriptionFailed);
    let told = end("c", EndReason::UserRejected, Some(EndDetail::MediaFailure));
    assert_eq!(signals(&actions), [told]);
    assert_eq!(ended(&actions).cause, EndCause::IncompatibleOffer);
}

#[test]
fn hanging_up_while_the_answer_is_made_sends_no_answer() {
    let mut rig = Rig::ringing("c", false);
    rig.accept("c", false);
    let actions = rig.hang_up("c");
    assert_eq!(signals(&actions), [end("c", EndReason::UserRejected, None)]);
    assert_eq!(rig.local_answer("c"), []);
    assert_idle(&rig);
}

#[test]
fn an_answer_that_is_never_made_ends_the_call() {
    let mut rig = Rig::ringing("c", false);
    rig.accept("c", false);
    assert_eq!(rig.pass(29), []);
    assert_eq!(ended(&rig.pass(1)).cause, EndCause::MediaFailed);
    assert_idle(&rig);
}

#[test]
fn a_server_that_forgot_the_call_ends_it_at_the_answer() {
    let mut rig = Rig::answered("c");
    let actions = rig.signal(refused(Some("c"), RefusalCode::UnknownCall, false, None));
    assert_eq!(ended(&actions).cause, EndCause::ServerProblem);
    assert_eq!(signals(&actions), []);
    assert_idle(&rig);
}

#[test]
fn accepting_twice_or_after_the_end_is_refused() {
    let mut rig = Rig::ringing("c", false);
    rig.accept("c", false);
    let accept = || Command::Accept {
        call: id("c"),
        video: false,
    };
    let now = rig.now;
    assert_eq!(
        rig.endpoint.handle_command(now, accept()),
        Err(CommandError::WrongState)
    );
    rig.signal(end("c", EndReason::UserHangup, None));
    assert_eq!(
        rig.endpoint.handle_command(now, accept()),
        Err(CommandError::UnknownCall)
    );
}
