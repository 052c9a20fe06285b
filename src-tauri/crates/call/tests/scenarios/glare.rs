//! Two users call each other at once (IM-Suite §9).

use crate::rig::*;
use ahoy_call::*;

fn silent_end(call: &str) -> [Action; 2] {
    [
        Action::StopMedia { call: id(call) },
        Action::Ended {
            call: id(call),
            end: CallEnd {
                cause: EndCause::Glare,
                reason: EndReason::UserBusy,
                detail: None,
                by_us: true,
                answered: false,
                duration: std::time::Duration::ZERO,
            },
        },
    ]
}

fn answer_of(call: &str, video: bool, remote_video: bool) -> [Action; 2] {
    [
        Action::CreateAnswer {
            call: id(call),
            offer_sdp: format!("offer of {call}"),
            video,
            remote_video,
            candidates: vec![candidate("in the offer")],
        },
        Action::StartMedia {
            call: id(call),
            send_video: video,
            video: remote_video,
        },
    ]
}

fn lost_to(winner: Option<&str>) -> Signal {
    refused(Some("b"), RefusalCode::Glare, true, winner)
}

#[test]
fn the_refused_side_answers_the_winning_offer_that_came_before() {
    let mut rig = Rig::calling("b", true);
    assert_eq!(rig.offer(offer("a", true)), [], "the server decides");
    assert_eq!(
        rig.signal(lost_to(Some("a"))),
        [silent_end("b"), answer_of("a", true, true)].concat()
    );
    assert_eq!(
        rig.endpoint.snapshot().map(|call| (call.call, call.state)),
        Some((id("a"), CallState::Connecting))
    );
}

#[test]
fn the_refused_side_answers_the_winning_offer_that_comes_later() {
    for winner in [Some("a"), None] {
        let mut rig = Rig::calling("b", false);
        assert_eq!(rig.signal(lost_to(winner)), []);
        assert_eq!(rig.state(), Some(CallState::Calling));
        assert_eq!(
            rig.offer(offer("a", true)),
            [silent_end("b"), answer_of("a", false, true)].concat(),
            "own offer was audio, so no camera"
        );
    }
}

#[test]
fn candidates_of_the_waiting_offer_are_kept() {
    let mut rig = Rig::calling("b", false);
    rig.offer(offer("a", false));
    rig.signal(Signal::Candidate {
        call: id("a"),
        candidate: Some(candidate("trickled")),
    });
    assert_eq!(rig.offer(offer("a", false)), [], "a repetition changes nothing");
    let actions = rig.signal(lost_to(Some("a")));
    let kept = actions.iter().find_map(|action| match action {
        Action::CreateAnswer { candidates, .. } => Some(candidates.len()),
        _ => None,
    });
    assert_eq!(kept, Some(2));
}

#[test]
fn of_two_waiting_offers_one_is_told_busy() {
    let mut rig = Rig::calling("b", false);
    rig.offer(offer("older", false));
    let sent = signals(&rig.offer(offer("a", false)));
    assert_eq!(sent, [end("older", EndReason::UserBusy, None)]);
    rig.signal(lost_to(Some("a")));
    assert_eq!(rig.endpoint.snapshot().map(|call| call.call), Some(id("a")));

    let mut rig = Rig::calling("b", false);
    rig.signal(lost_to(Some("a")));
    assert_eq!(rig.offer(offer("newer", false)), []);
    let sent = signals(&rig.offer(offer("a", false)));
    assert_eq!(sent, [end("newer", EndReason::UserBusy, None)]);
    assert_eq!(rig.endpoint.snapshot().map(|call| call.call), Some(id("a")));
}

#[test]
fn a_winning_offer_that_never_comes_ends_the_attempt() {
    let mut rig = Rig::calling("b", false);
    rig.signal(lost_to(Some("a")));
    assert_eq!(rig.pass(9), []);
    let actions = rig.pass(1);
    assert_eq!(signals(&actions), [], "the server has refused the call already");
    assert_eq!(ended(&actions).cause, EndCause::ConnectionLost);
    assert_idle(&rig);
}

#[test]
fn a_winner_that_is_cancelled_ends_the_attempt_too() {
    let mut rig = Rig::calling("b", false);
    rig.signal(lost_to(Some("a")));
    assert_eq!(
        rig.signal(end("x", EndReason::UserHangup, None)),
        [],
        "a foreign end is no matter"
    );
    let actions = rig.signal(end("a", EndReason::UserHangup, Some(EndDetail::Cancelled)));
    assert_eq!(ended(&actions).cause, EndCause::Missed);
    assert_eq!(rig.offer(offer("a", false)), []);
    assert_idle(&rig);
}

#[test]
fn a_winner_that_is_over_already_ends_the_attempt_at_once() {
    let mut rig = Rig::ringing("a", false);
    rig.command(Command::Decline { call: id("a") });
    rig.place("b", false);
    rig.local_offer("b");
    let actions = rig.signal(lost_to(Some("a")));
    assert_eq!(ended(&actions).cause, EndCause::Busy);
    assert_idle(&rig);
}

#[test]
fn whoever_gives_up_his_own_attempt_hears_the_other_ring() {
    let mut rig = Rig::calling("b", false);
    rig.offer(offer("a", false));
    let actions = rig.hang_up("b");
    assert!(matches!(
        actions.as_slice(),
        [
            Action::SendSignal(Signal::End { .. }),
            Action::StopMedia { .. },
            Action::Ended { .. },
            Action::SendSignal(Signal::Ringing { .. }),
            Action::Ring {
                ring: Ring::Incoming,
                ..
            },
        ]
    ));
    assert_eq!(rig.state(), Some(CallState::RingingIn));
}

#[test]
fn a_waiting_offer_that_is_withdrawn_or_expires_never_rings() {
    let mut rig = Rig::calling("b", false);
    rig.offer(offer("a", false));
    rig.signal(end("a", EndReason::UserHangup, Some(EndDetail::Cancelled)));
    rig.hang_up("b");
    assert_idle(&rig);
    assert_eq!(rig.offer(offer("a", false)), []);

    let mut rig = Rig::calling("b", false);
    rig.signal(Signal::Ringing { call: id("b") });
    rig.offer(Offer {
        expires_in: Some(std::time::Duration::from_secs(10)),
        ..offer("a", false)
    });
    rig.pass(20);
    rig.hang_up("b");
    assert_idle(&rig);
}

#[test]
fn a_waiting_offer_is_refused_when_the_own_call_is_answered() {
    let mut rig = Rig::calling("b", false);
    rig.offer(offer("a", false));
    let sent = signals(&rig.signal(answer("b")));
    assert_eq!(sent, [end("a", EndReason::UserBusy, None)]);
    assert_eq!(rig.state(), Some(CallState::Connecting));
}

#[test]
fn an_offer_not_yet_sent_gives_way_to_the_one_that_came() {
    for mut rig in [Rig::new(), Rig::basic()] {
        rig.place("b", true);
        assert_eq!(
            rig.offer(offer("c", true)),
            [silent_end("b"), answer_of("c", true, true)].concat()
        );
        assert_eq!(rig.local_offer("b"), []);
    }
}

#[test]
fn in_basic_mode_the_smaller_call_id_wins_on_both_sides() {
    let calling = |call| {
        let mut rig = Rig::basic();
        rig.place(call, true);
        rig.local_offer(call);
        rig
    };
    let mut loser = calling("b");
    let actions = loser.offer(offer("a", true));
    assert_eq!(
        signals(&actions),
        [end("b", EndReason::UserBusy, Some(EndDetail::Glare))]
    );
    assert_eq!(actions[actions.len() - 2..], answer_of("a", true, true));
    assert_eq!(loser.endpoint.snapshot().map(|call| call.call), Some(id("a")));

    let mut winner = calling("a");
    assert_eq!(winner.offer(offer("b", true)), []);
    assert_eq!(
        winner.signal(end("b", EndReason::UserBusy, Some(EndDetail::Glare))),
        []
    );
    winner.signal(answer("a"));
    assert_eq!(winner.state(), Some(CallState::Connecting));
}
