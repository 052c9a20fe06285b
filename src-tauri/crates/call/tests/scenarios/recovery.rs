//! A path that is lost, and signaling that is down, forgets, or comes back (IM-Suite §9; GOALS S20, S21).

use crate::rig::*;
use ahoy_call::*;

fn restart() -> Action {
    Action::CreateReoffer {
        call: id("c"),
        restart: true,
        video: Direction::Inactive,
    }
}

fn ask() -> Signal {
    Signal::Renegotiate {
        call: id("c"),
        ice_restart: true,
        video: None,
    }
}

fn reanswer(number: u32) -> Signal {
    Signal::Answer {
        call: id("c"),
        sdp: format!("answer {number}"),
        candidates: Vec::new(),
        constraints: None,
        negotiation: Some(number),
    }
}

fn in_band(actions: &[Action]) -> usize {
    let in_band = |it: &&Action| matches!(it, Action::SendInBand { .. });
    actions.iter().filter(in_band).count()
}

#[test]
fn a_path_lost_for_three_seconds_is_restarted_and_again_every_eight() {
    let mut rig = Rig::connected("c");
    rig.peer("c", PeerInput::Disconnected);
    assert_eq!(rig.pass(2), []);
    assert_eq!(rig.pass(1), [restart()]);
    for number in 1..4 {
        rig.local_offer("c");
        rig.signal(reanswer(number));
        rig.peer("c", PeerInput::Checking);
        assert_eq!(rig.pass(7), [], "attempt {number}");
        let actions = rig.pass(1);
        assert_eq!(actions, [restart()], "attempt {number}");
    }
    rig.local_offer("c");
    rig.signal(reanswer(4));
    rig.peer("c", PeerInput::Connected);
    assert_eq!(rig.state(), Some(CallState::Connected));
    assert_eq!(rig.pass(100), []);
}

#[test]
fn the_callee_asks_for_each_restart() {
    let mut rig = Rig::callee_connected("c");
    rig.peer("c", PeerInput::Disconnected);
    assert_eq!(signals(&rig.pass(3)), [ask()]);
    rig.offer(Offer {
        negotiation: 1,
        sdp: "new".into(),
        ..offer("c", false)
    });
    rig.local_answer("c");
    assert_eq!(signals(&rig.pass(8)), [ask()]);
}

#[test]
fn a_changed_network_is_restarted_at_once_and_nobody_is_alarmed_if_it_helps() {
    let mut rig = Rig::connected("c");
    assert_eq!(rig.peer("c", PeerInput::NetworkChanged), [restart()]);
    rig.local_offer("c");
    rig.signal(reanswer(1));
    assert_eq!(rig.peer("c", PeerInput::Checking), []);
    assert_eq!(rig.state(), Some(CallState::Connected));
    rig.peer("c", PeerInput::Connected);
    assert_eq!(rig.pass(100), []);
}

#[test]
fn a_restart_that_finds_no_path_shows_and_ends_within_the_budget() {
    let mut rig = Rig::connected("c");
    rig.peer("c", PeerInput::Checking);
    rig.pass(2);
    assert_eq!(rig.state(), Some(CallState::Connected));
    rig.pass(1);
    assert_eq!(rig.state(), Some(CallState::Reconnecting));
    assert!(ends(&rig.pass(26)).is_empty());
    assert_eq!(ended(&rig.pass(1)).cause, EndCause::ConnectionLost);
}

#[test]
fn a_first_connection_that_fails_is_restarted_within_its_thirty_seconds() {
    let mut rig = Rig::connecting("c");
    rig.pass(15);
    assert_eq!(rig.peer("c", PeerInput::Failed), [restart()]);
    rig.local_offer("c");
    rig.signal(reanswer(1));
    rig.pass(5);
    rig.peer("c", PeerInput::Connected);
    assert_eq!(rig.state(), Some(CallState::Connected));
    assert_eq!(rig.pass(100), []);
}

#[test]
fn signaling_that_is_down_ends_nothing() {
    for mut rig in [Rig::connected("c"), Rig::callee_connected("c")] {
        assert_eq!(rig.link(false), []);
        assert_eq!(rig.pass(600), []);
        assert_eq!(rig.state(), Some(CallState::Connected));
        assert_eq!(rig.link(true), []);
        let listed = ListedCall {
            call: id("c"),
            bound_here: true,
        };
        assert_eq!(rig.listed(vec![listed]), []);
        assert_eq!(rig.pass(600), []);
    }
}

#[test]
fn hanging_up_without_signaling_is_told_over_the_connection_and_later_to_the_server() {
    let mut rig = Rig::connected("c");
    rig.link(false);
    let actions = rig.hang_up("c");
    assert_eq!(signals(&actions), [end("c", EndReason::UserHangup, None)]);
    assert_eq!(in_band(&actions), 1);
    assert_eq!(ended(&actions).cause, EndCause::HungUp);
    let said = actions
        .iter()
        .position(|it| matches!(it, Action::SendInBand { .. }));
    let stopped = actions
        .iter()
        .position(|it| matches!(it, Action::StopMedia { .. }));
    assert!(said < stopped, "the connection is there to carry it");
    assert_eq!(
        in_band(&Rig::connected("c").hang_up("c")),
        0,
        "with signaling it is not needed"
    );
    let mut basic = Rig::basic();
    basic.place("c", false);
    basic.local_offer("c");
    basic.signal(answer("c"));
    basic.peer("c", PeerInput::Connected);
    assert_eq!(
        in_band(&basic.hang_up("c")),
        1,
        "a server that holds no calls may have lost its way"
    );
}

#[test]
fn an_end_over_the_connection_is_an_end_and_the_server_is_told() {
    for mut rig in [
        Rig::connected("c"),
        Rig::callee_connected("c"),
        Rig::connecting("c"),
    ] {
        let told = PeerInput::RemoteEnd {
            reason: EndReason::UserHangup,
            detail: None,
        };
        let actions = rig.peer("c", told);
        assert_eq!(signals(&actions), [end("c", EndReason::UserHangup, None)]);
        assert_eq!(in_band(&actions), 0, "nobody is left to hear it");
        let end = ended(&actions);
        assert_eq!((end.cause, end.by_us), (EndCause::HungUp, false));
        assert_idle(&rig);
    }
    let mut ringing = Rig::ringing("c", false);
    let told = PeerInput::RemoteEnd {
        reason: EndReason::UserHangup,
        detail: None,
    };
    assert_eq!(ringing.peer("c", told), []);
}

#[test]
fn a_call_the_server_forgot_goes_on_without_it() {
    let mut rig = Rig::connected("c");
    rig.link(false);
    rig.pass(20);
    rig.link(true);
    let lost = Action::SignalingLost { call: id("c") };
    assert_eq!(rig.listed(Vec::new()), [lost]);
    assert_eq!(rig.listed(Vec::new()), [], "told once");
    assert_eq!(rig.pass(600), []);
    assert_eq!(
        rig.command(Command::RestartIce { call: id("c") }),
        [],
        "nobody hears an offer"
    );
    let actions = rig.hang_up("c");
    assert_eq!(in_band(&actions), 1);
    assert_eq!(ended(&actions).cause, EndCause::HungUp);

    let mut rig = Rig::connected("c");
    rig.listed(Vec::new());
    rig.peer("c", PeerInput::Disconnected);
    assert_eq!(rig.pass(29), []);
    assert_eq!(ended(&rig.pass(1)).cause, EndCause::ConnectionLost);
}

#[test]
fn a_ringing_call_the_server_forgot_ends_on_both_sides() {
    let mut caller = Rig::calling("c", false);
    caller.signal(Signal::Ringing { call: id("c") });
    let end = ended(&caller.listed(Vec::new()));
    assert_eq!((end.cause, end.by_us), (EndCause::ConnectionLost, false));
    let mut callee = Rig::ringing("c", false);
    let end = ended(&callee.listed(Vec::new()));
    assert_eq!((end.cause, end.by_us), (EndCause::Missed, false));
    // An offer that nobody confirmed may still be on its way.
    let mut unsure = Rig::calling("c", false);
    assert_eq!(unsure.listed(Vec::new()), []);
    assert_eq!(unsure.state(), Some(CallState::Calling));
}

#[test]
fn a_call_that_a_crash_left_behind_is_ended() {
    let left = |bound_here| {
        vec![ListedCall {
            call: id("old"),
            bound_here,
        }]
    };
    let told = end("old", EndReason::NetworkError, Some(EndDetail::MediaLost));
    let mut rig = Rig::new();
    assert_eq!(signals(&rig.listed(left(true))), [told]);
    assert_eq!(rig.listed(left(true)), [], "once");
    assert_eq!(Rig::new().listed(left(false)), [], "it is another device's");
}

#[test]
fn an_end_the_server_did_not_hear_is_said_again() {
    let mut rig = Rig::connected("c");
    rig.hang_up("c");
    let listed = vec![ListedCall {
        call: id("c"),
        bound_here: true,
    }];
    assert_eq!(
        signals(&rig.listed(listed)),
        [end("c", EndReason::UserHangup, None)]
    );
}

#[test]
fn a_closed_channel_ends_nothing_and_asks_whether_anybody_is_there() {
    let mut rig = Rig::connected("c");
    assert_eq!(rig.peer("c", PeerInput::ChannelClosed), []);
    assert_eq!(rig.state(), Some(CallState::Connected));
    assert_eq!(rig.pass(3), [restart()]);
    rig.local_offer("c");
    rig.signal(reanswer(1));
    rig.peer("c", PeerInput::Connected);
    assert_eq!(rig.pass(100), []);
    // Without signaling nothing can be asked, and the call goes on as long as its media does.
    let mut rig = Rig::connected("c");
    rig.link(false);
    rig.peer("c", PeerInput::ChannelClosed);
    assert_eq!(rig.pass(600), []);
}

#[test]
fn addresses_are_held_back_from_a_stranger_until_it_answers() {
    let mut rig = Rig::new();
    rig.command(Command::PlaceCall {
        call: id("c"),
        to: user(2),
        video: false,
        constraints: Constraints::default(),
        hide_addresses: true,
        stream: None,
    });
    let typed = |kind: &str| candidate(&format!("1 1 udp 1 192.0.2.1 9 typ {kind} raddr 0.0.0.0 rport 0"));
    let local = |rig: &mut Rig, kind| signals(&rig.peer("c", PeerInput::LocalCandidate(Some(typed(kind)))));
    assert_eq!(local(&mut rig, "host"), []);
    let early = typed("relay");
    rig.peer("c", PeerInput::LocalCandidate(Some(early.clone())));
    let told = signals(&rig.local_offer("c"));
    assert!(
        matches!(&told[..], [Signal::Offer(_), Signal::Candidate { candidate, .. }] if *candidate == Some(early))
    );
    assert_eq!(local(&mut rig, "srflx"), []);
    assert_eq!(local(&mut rig, "relay").len(), 1);
    assert_eq!(rig.peer("c", PeerInput::LocalCandidate(None)), []);
    rig.signal(Signal::Ringing { call: id("c") });
    let told: Vec<_> = signals(&rig.signal(answer("c")))
        .into_iter()
        .map(|signal| match signal {
            Signal::Candidate { candidate, .. } => candidate.map(|candidate| candidate.candidate),
            other => panic!("{other:?}"),
        })
        .collect();
    let (host, srflx) = (typed("host").candidate, typed("srflx").candidate);
    assert_eq!(told, [Some(host), Some(srflx), None]);
    assert_eq!(local(&mut rig, "host").len(), 1);
}

#[test]
fn nothing_of_a_lost_path_outlives_the_call() {
    let mut rig = Rig::connected("c");
    rig.peer("c", PeerInput::Disconnected);
    rig.pass(4);
    rig.hang_up("c");
    assert_idle(&rig);
    assert_eq!(rig.pass(100), []);
}
