//! Re-offers of an answered call: who makes them, what happens to stale, crossing, repeated and unanswered ones, and the
//! way from a call of sound to one with pictures and back (IM-Suite §4.7, §9).

use crate::rig::*;
use ahoy_call::*;
use std::time::Duration;

fn create(restart: bool, video: Direction) -> Action {
    Action::CreateReoffer {
        call: id("c"),
        restart,
        video,
    }
}

fn ask(ice_restart: bool, video: Option<bool>) -> Signal {
    Signal::Renegotiate {
        call: id("c"),
        ice_restart,
        video,
    }
}

fn reanswer(negotiation: Option<u32>, sdp: &str) -> Signal {
    Signal::Answer {
        call: id("c"),
        sdp: sdp.into(),
        candidates: Vec::new(),
        constraints: None,
        negotiation,
    }
}

/// Their re-offer with a number.
fn reoffer(number: u32) -> Offer {
    Offer {
        negotiation: number,
        sdp: format!("their offer {number}"),
        candidates: Vec::new(),
        ..offer("c", false)
    }
}

/// What the actions offer: the number and the kind of call.
fn offered(actions: &[Action]) -> Vec<(u32, bool)> {
    signals(actions)
        .into_iter()
        .filter_map(|signal| match signal {
            Signal::Offer(offer) => Some((offer.negotiation, offer.video)),
            _ => None,
        })
        .collect()
}

fn restart(rig: &mut Rig) -> Vec<Action> {
    rig.command(Command::RestartIce { call: id("c") })
}

fn camera(rig: &mut Rig, on: bool) -> Vec<Action> {
    rig.command(Command::SetCamera { call: id("c"), on })
}

fn negotiated(rig: &mut Rig, video: Direction) -> Vec<Action> {
    rig.peer("c", PeerInput::Negotiated { video })
}

fn changed(video: Direction) -> Action {
    Action::VideoChanged { call: id("c"), video }
}

fn pending(after: Option<Duration>) -> Signal {
    match refused(Some("c"), RefusalCode::RenegotiationPending, false, None) {
        Signal::Refused { call, refusal } => Signal::Refused {
            call,
            refusal: Refusal {
                retry_after: after,
                ..refusal
            },
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_caller_reoffers_and_counts() {
    let mut rig = Rig::connected("c");
    for number in 1..4 {
        assert_eq!(restart(&mut rig), [create(true, Direction::Inactive)]);
        assert_eq!(offered(&rig.local_offer("c")), [(number, false)]);
        let sdp = format!("answer {number}");
        let applied = rig.signal(reanswer(Some(number), &sdp));
        assert!(matches!(&applied[..], [Action::ApplyAnswer { sdp: it, .. }] if *it == sdp));
    }
    assert_eq!(rig.pass(100), []);
}

#[test]
fn the_callee_asks_and_answers_the_callers_reoffer() {
    let mut rig = Rig::callee_connected("c");
    assert_eq!(signals(&restart(&mut rig)), [ask(true, None)]);
    rig.pass(3);
    let actions = rig.offer(reoffer(1));
    assert!(matches!(
        &actions[..],
        [Action::CreateReanswer { offer_sdp, send_video: false, .. }] if offer_sdp == "their offer 1"
    ));
    assert_eq!(signals(&rig.local_answer("c")), [own_answer(1)]);
    assert_eq!(rig.pass(100), []);
}

fn own_answer(number: u32) -> Signal {
    reanswer(Some(number), "our answer")
}

#[test]
fn the_callee_reoffers_itself_when_nothing_comes_in_four_seconds() {
    let mut rig = Rig::callee_connected("c");
    restart(&mut rig);
    assert_eq!(rig.pass(3), []);
    assert_eq!(rig.pass(1), [create(true, Direction::Inactive)]);
    assert_eq!(offered(&rig.local_offer("c")), [(1, false)]);
    assert!(matches!(
        &rig.signal(reanswer(Some(1), "a"))[..],
        [Action::ApplyAnswer { .. }]
    ));
}

#[test]
fn without_the_feature_the_callee_asks_nobody() {
    let mut rig = Rig::basic();
    rig.offer(offer("c", false));
    rig.accept("c", false);
    rig.local_answer("c");
    rig.peer("c", PeerInput::Connected);
    assert_eq!(restart(&mut rig), [create(true, Direction::Inactive)]);
}

#[test]
fn one_reoffer_covers_several_requests() {
    let mut rig = Rig::connected("c");
    assert_eq!(rig.signal(ask(true, None)), [create(true, Direction::Inactive)]);
    assert_eq!(rig.signal(ask(true, None)), []);
    rig.local_offer("c");
    assert_eq!(rig.signal(ask(true, None)), []);
    assert_eq!(rig.signal(reanswer(Some(1), "a")).len(), 1, "it is applied");
    assert_eq!(rig.pass(100), []);
    // Pictures that are asked for meanwhile are another matter.
    rig.signal(ask(true, None));
    rig.local_offer("c");
    assert_eq!(rig.signal(ask(false, Some(true))), []);
    let actions = rig.signal(reanswer(Some(2), "b"));
    assert!(actions.contains(&create(false, Direction::RecvOnly)));
}

/// Both sides lose the path at the same time, and each would restart.
#[test]
fn a_loss_that_both_sides_notice_is_restarted_once() {
    let mut caller = Rig::connected("c");
    caller.peer("c", PeerInput::Disconnected);
    caller.pass(2);
    assert_eq!(
        caller.signal(ask(true, None)),
        [create(true, Direction::Inactive)]
    );
    caller.local_offer("c");
    caller.signal(reanswer(Some(1), "a"));
    assert_eq!(caller.pass(7), [], "its own clock is put back");

    let mut callee = Rig::callee_connected("c");
    callee.peer("c", PeerInput::Disconnected);
    callee.pass(2);
    callee.offer(reoffer(1));
    callee.local_answer("c");
    assert_eq!(callee.pass(7), []);
    assert_eq!(signals(&callee.pass(1)), [ask(true, None)], "it helped nothing");
}

#[test]
fn a_request_from_the_caller_or_before_the_answer_means_nothing() {
    let mut rig = Rig::callee_connected("c");
    assert_eq!(rig.signal(ask(true, Some(true))), []);
    for mut rig in [Rig::calling("c", true), Rig::ringing("c", true)] {
        assert_eq!(rig.signal(ask(true, Some(true))), []);
    }
}

#[test]
fn an_unanswered_reoffer_is_sent_again_after_ten_seconds_and_ends_the_call_after_thirty() {
    let mut rig = Rig::connected("c");
    restart(&mut rig);
    let first = rig.local_offer("c");
    assert_eq!(rig.pass(9), []);
    assert_eq!(rig.pass(1), first, "the very same");
    assert_eq!(rig.pass(19), []);
    let actions = rig.pass(1);
    assert_eq!(signals(&actions), [end("c", EndReason::NetworkError, None)]);
    assert_eq!(ended(&actions).cause, EndCause::ConnectionLost);
    assert_idle(&rig);
}

#[test]
fn the_clock_of_an_unanswered_reoffer_stands_still_without_signaling() {
    let mut rig = Rig::connected("c");
    restart(&mut rig);
    rig.local_offer("c");
    rig.pass(9);
    assert_eq!(rig.link(false), []);
    assert_eq!(rig.pass(60), []);
    assert_eq!(rig.link(true), []);
    assert_eq!(offered(&rig.pass(1)), [(1, false)]);
    assert_eq!(rig.pass(19), []);
    assert_eq!(ended(&rig.pass(1)).reason, EndReason::NetworkError);
}

#[test]
fn nothing_is_offered_or_asked_while_signaling_is_down() {
    for (mut rig, then) in [
        (Rig::connected("c"), create(true, Direction::Inactive)),
        (Rig::callee_connected("c"), Action::SendSignal(ask(true, None))),
    ] {
        rig.link(false);
        assert_eq!(restart(&mut rig), []);
        assert_eq!(rig.pass(30), []);
        assert_eq!(rig.link(true), [then]);
    }
}

#[test]
fn stale_and_foreign_answers_are_dropped() {
    let mut rig = Rig::connected("c");
    assert_eq!(rig.signal(answer("c")), [], "the first one again");
    assert_eq!(rig.signal(reanswer(Some(1), "early")), []);
    restart(&mut rig);
    assert_eq!(rig.signal(reanswer(Some(1), "before the offer is out")), []);
    rig.local_offer("c");
    assert_eq!(rig.signal(reanswer(Some(0), "old")), []);
    assert_eq!(rig.signal(reanswer(Some(2), "future")), []);
    assert_eq!(
        rig.signal(reanswer(None, "their answer")),
        [],
        "the first one again"
    );
    assert_eq!(rig.signal(reanswer(Some(1), "new")).len(), 1);
    assert_eq!(rig.signal(reanswer(Some(1), "new")), [], "twice");
}

#[test]
fn a_repeated_reoffer_gets_the_same_answer_and_an_old_one_none() {
    let mut rig = Rig::callee_connected("c");
    assert_eq!(rig.offer(offer("c", false)), [], "the first offer is none");
    rig.offer(reoffer(1));
    assert_eq!(rig.offer(reoffer(1)), [], "while its answer is made");
    rig.local_answer("c");
    assert_eq!(signals(&rig.offer(reoffer(1))), [own_answer(1)]);
    rig.offer(reoffer(2));
    rig.peer(
        "c",
        PeerInput::LocalAnswer {
            sdp: "our second".into(),
        },
    );
    assert_eq!(rig.offer(reoffer(1)), []);
    let forged = Offer {
        from: user(3),
        ..reoffer(3)
    };
    assert_eq!(rig.offer(forged), []);
}

#[test]
fn of_crossing_reoffers_the_callers_wins_on_both_sides() {
    let mut caller = Rig::connected("c");
    restart(&mut caller);
    assert_eq!(caller.offer(reoffer(1)), [], "while it is made");
    caller.local_offer("c");
    assert_eq!(caller.offer(reoffer(1)), []);
    assert_eq!(caller.signal(reanswer(Some(1), "a")).len(), 1);

    let mut callee = Rig::callee_connected("c");
    restart(&mut callee);
    callee.pass(4);
    callee.local_offer("c");
    let actions = callee.offer(reoffer(1));
    assert!(matches!(&actions[..], [Action::CreateReanswer { .. }]));
    assert_eq!(signals(&callee.local_answer("c")), [own_answer(1)]);
    assert_eq!(callee.signal(pending(None)), [], "its own is forgotten");
    assert_eq!(callee.pass(100), []);
}

#[test]
fn a_pending_negotiation_is_waited_for_as_long_as_the_server_says() {
    for (after, seconds) in [(None, 2), (Some(Duration::from_secs(5)), 5)] {
        let mut rig = Rig::connected("c");
        restart(&mut rig);
        rig.local_offer("c");
        assert_eq!(rig.signal(pending(after)), []);
        assert_eq!(restart(&mut rig), [], "it waits too");
        assert_eq!(rig.pass(seconds - 1), []);
        assert_eq!(rig.pass(1), [create(true, Direction::Inactive)]);
        assert_eq!(
            offered(&rig.local_offer("c")),
            [(2, false)],
            "a number is used once"
        );
    }
}

#[test]
fn a_reoffer_that_cannot_be_answered_ends_the_call_and_one_that_cannot_be_made_does_not() {
    let mut rig = Rig::connected("c");
    restart(&mut rig);
    assert_eq!(rig.peer("c", PeerInput::DescriptionFailed), []);
    assert_eq!(rig.pass(100), []);
    let mut rig = Rig::callee_connected("c");
    rig.offer(reoffer(1));
    let actions = rig.peer("c", PeerInput::DescriptionFailed);
    let told = end("c", EndReason::NetworkError, Some(EndDetail::BadSdp));
    assert_eq!(signals(&actions), [told]);
    assert_eq!(ended(&actions).cause, EndCause::IncompatibleOffer);
}

#[test]
fn the_caller_turns_on_its_camera_and_the_callee_only_sees_it() {
    let mut caller = Rig::connected("c");
    assert_eq!(camera(&mut caller, true), [create(false, Direction::SendRecv)]);
    assert_eq!(offered(&caller.local_offer("c")), [(1, true)]);
    caller.signal(reanswer(Some(1), "a"));
    assert_eq!(
        negotiated(&mut caller, Direction::SendOnly),
        [changed(Direction::SendOnly)]
    );
    let call = caller.endpoint.snapshot().expect("a call");
    assert!(call.video && call.send_video);

    let mut callee = Rig::callee_connected("c");
    let video = Offer {
        video: true,
        ..reoffer(1)
    };
    let actions = callee.offer(video);
    assert!(matches!(
        &actions[..],
        [Action::CreateReanswer {
            send_video: false,
            ..
        }]
    ));
    callee.local_answer("c");
    assert_eq!(
        negotiated(&mut callee, Direction::RecvOnly),
        [changed(Direction::RecvOnly)]
    );
    let call = callee.endpoint.snapshot().expect("a call");
    assert!(call.video && !call.send_video, "no message turns on a camera");

    // Its user wants to be seen too.
    assert_eq!(signals(&camera(&mut callee, true)), [ask(false, Some(true))]);
    assert_eq!(
        caller.signal(ask(false, Some(true))),
        [create(false, Direction::SendRecv)]
    );
    let actions = callee.offer(Offer {
        video: true,
        ..reoffer(2)
    });
    assert!(matches!(
        &actions[..],
        [Action::CreateReanswer { send_video: true, .. }]
    ));
}

#[test]
fn the_callee_turns_on_its_camera_and_the_caller_only_sees_it() {
    let mut callee = Rig::callee_connected("c");
    assert_eq!(signals(&camera(&mut callee, true)), [ask(false, Some(true))]);
    let mut caller = Rig::connected("c");
    assert_eq!(
        caller.signal(ask(false, Some(true))),
        [create(false, Direction::RecvOnly)]
    );
    assert_eq!(offered(&caller.local_offer("c")), [(1, true)]);
    caller.signal(reanswer(Some(1), "a"));
    negotiated(&mut caller, Direction::RecvOnly);
    let call = caller.endpoint.snapshot().expect("a call");
    assert!(call.video && !call.send_video);
}

#[test]
fn the_last_camera_that_is_turned_off_makes_it_a_call_of_sound_again() {
    let mut caller = Rig::connected("c");
    camera(&mut caller, true);
    caller.local_offer("c");
    caller.signal(reanswer(Some(1), "a"));
    negotiated(&mut caller, Direction::SendOnly);
    assert_eq!(camera(&mut caller, false), [create(false, Direction::Inactive)]);
    assert_eq!(offered(&caller.local_offer("c")), [(2, false)]);
    caller.signal(reanswer(Some(2), "b"));
    assert_eq!(
        negotiated(&mut caller, Direction::Inactive),
        [changed(Direction::Inactive)]
    );
    assert!(!caller.endpoint.snapshot().expect("a call").video);

    let mut callee = Rig::callee_connected("c");
    camera(&mut callee, true);
    callee.offer(reoffer(1));
    callee.local_answer("c");
    negotiated(&mut callee, Direction::SendOnly);
    assert_eq!(signals(&camera(&mut callee, false)), [ask(false, Some(false))]);
}

#[test]
fn a_camera_that_is_not_the_last_needs_no_reoffer() {
    let mut rig = Rig::connected("c");
    camera(&mut rig, true);
    rig.local_offer("c");
    rig.signal(reanswer(Some(1), "a"));
    negotiated(&mut rig, Direction::SendRecv);
    assert_eq!(camera(&mut rig, false), []);
    assert_eq!(camera(&mut rig, true), []);
    // And in a call that began with pictures none ever does.
    let mut rig = Rig::calling("v", true);
    rig.signal(answer("v"));
    rig.peer("v", PeerInput::Connected);
    for on in [false, true] {
        assert_eq!(rig.command(Command::SetCamera { call: id("v"), on }), []);
    }
}

#[test]
fn a_camera_wanted_before_there_is_an_answer_is_asked_for_after_it() {
    let mut rig = Rig::ringing("c", false);
    rig.accept("c", false);
    assert_eq!(camera(&mut rig, true), []);
    assert!(signals(&rig.local_answer("c")).contains(&ask(false, Some(true))));
}
