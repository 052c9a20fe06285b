//! The client tables of IM-Suite §10, cell by cell: one line of a table here is one line there.
//!
//! States and next states are the words of the specification; `Incoming offer from the same peer` is `glare.rs`.

use crate::rig::*;
use ahoy_call::*;
use std::time::Duration;

/// What an endpoint is told in a cell.
enum Event {
    User(Command),
    Hears(Signal),
    Peer(PeerInput),
    Seconds(u64),
}
use Event::*;

/// What it says to the other side in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Says {
    Nothing,
    Offer,
    Ringing,
    Answer,
    Busy,
    Hangup,
    Rejected,
    Timeout,
    Network,
    Renegotiate,
    Reoffer,
}

/// Brings an endpoint into a state.
type Given = fn() -> Rig;

struct Cell {
    state: &'static str,
    event: &'static str,
    given: Given,
    when: Event,
    says: Says,
    next: &'static str,
}

fn cell(
    state: &'static str,
    event: &'static str,
    given: Given,
    when: Event,
    says: Says,
    next: &'static str,
) -> Cell {
    Cell {
        state,
        event,
        given,
        when,
        says,
        next,
    }
}

fn state_of(rig: &Rig) -> &'static str {
    match rig.state() {
        None => "Ended",
        Some(CallState::Calling) => "Calling",
        Some(CallState::RingingOut) => "RingingOut",
        Some(CallState::RingingIn) => "RingingIn",
        Some(CallState::Connecting) => "Connecting",
        Some(CallState::Connected) => "Connected",
        Some(CallState::Reconnecting) => "Reconnecting",
    }
}

fn said(signal: &Signal) -> Says {
    match signal {
        Signal::Offer(offer) if offer.negotiation > 0 => Says::Reoffer,
        Signal::Offer(_) => Says::Offer,
        Signal::Ringing { .. } => Says::Ringing,
        Signal::Answer { .. } => Says::Answer,
        Signal::Renegotiate { .. } => Says::Renegotiate,
        Signal::End { reason, .. } => match reason {
            EndReason::UserBusy => Says::Busy,
            EndReason::UserHangup => Says::Hangup,
            EndReason::UserRejected => Says::Rejected,
            EndReason::Timeout => Says::Timeout,
            EndReason::NetworkError => Says::Network,
            EndReason::ServerError => panic!("only servers say this"),
        },
        other => panic!("nothing a client says: {other:?}"),
    }
}

fn check(table: &str, cells: Vec<Cell>) {
    for cell in cells {
        let name = format!("{table}: {} | {}", cell.state, cell.event);
        let mut rig = (cell.given)();
        let before = if rig.endpoint.snapshot().is_none() {
            "Idle"
        } else {
            state_of(&rig)
        };
        assert_eq!(before, cell.state, "{name}: the state it begins in");
        let actions = match cell.when {
            User(command) => rig.command(command),
            Hears(signal) => rig.signal(signal),
            Peer(input) => rig.peer("c", input),
            Seconds(seconds) => rig.pass(seconds),
        };
        let says = signals(&actions).last().map_or(Says::Nothing, said);
        assert_eq!(says, cell.says, "{name}: what it says, {actions:#?}");
        assert_eq!(state_of(&rig), cell.next, "{name}: the next state");
        if cell.next == "Ended" {
            // Camera, microphone, connection and ring tone are free with the same input (§10, last paragraph).
            assert!(stops(&actions) <= 1, "{name}");
            assert_eq!(ends(&actions).len(), 1, "{name}");
            assert_idle(&rig);
        }
    }
}

fn idle() -> Rig {
    Rig::new()
}
fn calling() -> Rig {
    Rig::calling("c", false)
}
fn ringing_out() -> Rig {
    let mut rig = Rig::calling("c", false);
    rig.signal(Signal::Ringing { call: id("c") });
    rig
}
fn connecting() -> Rig {
    Rig::connecting("c")
}
fn connected() -> Rig {
    Rig::connected("c")
}
fn reconnecting() -> Rig {
    let mut rig = Rig::connected("c");
    rig.peer("c", PeerInput::Disconnected);
    rig
}
fn ringing_in() -> Rig {
    Rig::ringing("c", false)
}
fn callee_connecting() -> Rig {
    Rig::answered("c")
}
fn callee_connected() -> Rig {
    Rig::callee_connected("c")
}
fn callee_reconnecting() -> Rig {
    let mut rig = Rig::callee_connected("c");
    rig.peer("c", PeerInput::Disconnected);
    rig
}

fn place() -> Command {
    Command::PlaceCall {
        call: id("c"),
        to: user(2),
        video: false,
        constraints: Constraints::default(),
        hide_addresses: false,
        stream: None,
    }
}
fn hang_up() -> Event {
    User(Command::HangUp { call: id("c") })
}
fn ended_by(reason: EndReason, detail: Option<EndDetail>) -> Event {
    Hears(end("c", reason, detail))
}
fn offer_of(call: &str) -> Event {
    Hears(Signal::Offer(Box::new(offer(call, false))))
}
fn fatal(code: RefusalCode) -> Event {
    Hears(refused(Some("c"), code, true, None))
}

#[test]
fn the_callers_table() {
    use EndDetail::*;
    use EndReason::*;
    let ring = || Hears(Signal::Ringing { call: id("c") });
    let answers = || Hears(answer("c"));
    let mut cells = vec![
        cell("Idle", "dial", idle, User(place()), Says::Nothing, "Calling"),
        cell(
            "Calling",
            "status ringing",
            calling,
            ring(),
            Says::Nothing,
            "RingingOut",
        ),
        cell(
            "Connecting",
            "ICE+DTLS up",
            connecting,
            Peer(PeerInput::Connected),
            Says::Nothing,
            "Connected",
        ),
        cell(
            "Connecting",
            "30 s",
            connecting,
            Seconds(30),
            Says::Network,
            "Ended",
        ),
        cell(
            "Connecting",
            "ICE failed",
            connecting,
            Peer(PeerInput::Failed),
            Says::Nothing,
            "Connecting",
        ),
        cell(
            "Connected",
            "ICE lost",
            connected,
            Peer(PeerInput::Disconnected),
            Says::Nothing,
            "Reconnecting",
        ),
        cell(
            "Connected",
            "ICE failed",
            connected,
            Peer(PeerInput::Failed),
            Says::Nothing,
            "Reconnecting",
        ),
        cell(
            "Connected",
            "end received",
            connected,
            ended_by(UserHangup, None),
            Says::Nothing,
            "Ended",
        ),
        cell(
            "Connected",
            "hang-up",
            connected,
            hang_up(),
            Says::Hangup,
            "Ended",
        ),
        cell(
            "Reconnecting",
            "ICE up",
            reconnecting,
            Peer(PeerInput::Connected),
            Says::Nothing,
            "Connected",
        ),
        cell(
            "Reconnecting",
            "30 s",
            reconnecting,
            Seconds(30),
            Says::Network,
            "Ended",
        ),
        cell(
            "Reconnecting",
            "end received",
            reconnecting,
            ended_by(NetworkError, None),
            Says::Nothing,
            "Ended",
        ),
        cell(
            "Reconnecting",
            "hang-up",
            reconnecting,
            hang_up(),
            Says::Hangup,
            "Ended",
        ),
    ];
    let waiting: [(&str, Given); 2] = [("Calling", calling), ("RingingOut", ringing_out)];
    for (state, given) in waiting {
        cells.extend([
            cell(state, "answer", given, answers(), Says::Nothing, "Connecting"),
            cell(
                state,
                "end rejected",
                given,
                ended_by(UserRejected, None),
                Says::Nothing,
                "Ended",
            ),
            cell(
                state,
                "end busy",
                given,
                ended_by(UserBusy, None),
                Says::Nothing,
                "Ended",
            ),
            cell(
                state,
                "end timeout",
                given,
                ended_by(Timeout, Some(Ring)),
                Says::Nothing,
                "Ended",
            ),
            cell(
                state,
                "end server_error",
                given,
                ended_by(ServerError, None),
                Says::Nothing,
                "Ended",
            ),
            cell(
                state,
                "fatal error",
                given,
                fatal(RefusalCode::UserOffline),
                Says::Nothing,
                "Ended",
            ),
            cell(state, "user cancels", given, hang_up(), Says::Hangup, "Ended"),
            cell(state, "guard timer", given, Seconds(35), Says::Timeout, "Ended"),
        ]);
    }
    check("caller", cells);
}

#[test]
fn the_callees_table() {
    use EndDetail::*;
    use EndReason::*;
    let accept = || {
        User(Command::Accept {
            call: id("c"),
            video: false,
        })
    };
    let elsewhere = || Hears(Signal::AnsweredElsewhere { call: id("c") });
    let mut cells = vec![
        cell(
            "Idle",
            "offer to me",
            idle,
            offer_of("c"),
            Says::Ringing,
            "RingingIn",
        ),
        cell(
            "RingingIn",
            "accept",
            ringing_in,
            accept(),
            Says::Nothing,
            "Connecting",
        ),
        cell(
            "RingingIn",
            "decline",
            ringing_in,
            User(Command::Decline { call: id("c") }),
            Says::Rejected,
            "Ended",
        ),
        cell(
            "RingingIn",
            "end",
            ringing_in,
            ended_by(UserHangup, Some(Cancelled)),
            Says::Nothing,
            "Ended",
        ),
        cell(
            "RingingIn",
            "status answered",
            ringing_in,
            elsewhere(),
            Says::Nothing,
            "Ended",
        ),
        cell(
            "RingingIn",
            "expires_in + 5 s",
            ringing_in,
            Seconds(35),
            Says::Timeout,
            "Ended",
        ),
        cell(
            "Connecting",
            "error answered_elsewhere",
            callee_connecting,
            fatal(RefusalCode::AnsweredElsewhere),
            Says::Nothing,
            "Ended",
        ),
        cell(
            "Connecting",
            "ICE+DTLS up",
            callee_connecting,
            Peer(PeerInput::Connected),
            Says::Nothing,
            "Connected",
        ),
        cell(
            "Connecting",
            "30 s",
            callee_connecting,
            Seconds(30),
            Says::Network,
            "Ended",
        ),
        cell(
            "Connecting",
            "ICE failed",
            callee_connecting,
            Peer(PeerInput::Failed),
            Says::Renegotiate,
            "Connecting",
        ),
        cell(
            "Connected",
            "ICE lost",
            callee_connected,
            Peer(PeerInput::Disconnected),
            Says::Nothing,
            "Reconnecting",
        ),
        cell(
            "Connected",
            "ICE failed",
            callee_connected,
            Peer(PeerInput::Failed),
            Says::Renegotiate,
            "Reconnecting",
        ),
        cell(
            "Connected",
            "end received",
            callee_connected,
            ended_by(UserHangup, None),
            Says::Nothing,
            "Ended",
        ),
        cell(
            "Connected",
            "hang-up",
            callee_connected,
            hang_up(),
            Says::Hangup,
            "Ended",
        ),
        cell(
            "Reconnecting",
            "3 s",
            callee_reconnecting,
            Seconds(3),
            Says::Renegotiate,
            "Reconnecting",
        ),
        cell(
            "Reconnecting",
            "ICE up",
            callee_reconnecting,
            Peer(PeerInput::Connected),
            Says::Nothing,
            "Connected",
        ),
        cell(
            "Reconnecting",
            "30 s",
            callee_reconnecting,
            Seconds(30),
            Says::Network,
            "Ended",
        ),
        cell(
            "Reconnecting",
            "hang-up",
            callee_reconnecting,
            hang_up(),
            Says::Hangup,
            "Ended",
        ),
    ];
    let not_idle: [(&str, Given); 7] = [
        ("RingingIn", ringing_in),
        ("Connecting", callee_connecting),
        ("Connected", callee_connected),
        ("Reconnecting", callee_reconnecting),
        ("RingingOut", ringing_out),
        ("Connected", connected),
        ("Reconnecting", reconnecting),
    ];
    for (state, given) in not_idle {
        let third = Offer {
            from: user(3),
            ..offer("another", false)
        };
        let third = Hears(Signal::Offer(Box::new(third)));
        cells.push(cell(
            state,
            "offer of another call",
            given,
            third,
            Says::Busy,
            state,
        ));
    }
    check("callee", cells);
}

#[test]
fn what_names_another_call_is_ignored_in_every_state() {
    let states: [Given; 11] = [
        idle,
        calling,
        ringing_out,
        connecting,
        connected,
        reconnecting,
        ringing_in,
        callee_connecting,
        callee_connected,
        callee_reconnecting,
        || Rig::calling("c", true),
    ];
    for given in states {
        for signal in [
            Signal::Ringing { call: id("other") },
            answer("other"),
            end("other", EndReason::UserHangup, None),
            Signal::Renegotiate {
                call: id("other"),
                ice_restart: true,
                video: Some(true),
            },
        ] {
            let mut rig = given();
            let before = rig.endpoint.snapshot();
            assert_eq!(rig.signal(signal), []);
            assert_eq!(rig.endpoint.snapshot(), before);
        }
    }
}

/// GOALS S5, the client's half of the list: what is dropped, and that the current call does not notice.
#[test]
fn late_foreign_and_early_messages_leave_the_current_call_alone() {
    let mut rig = Rig::connected("now");
    let before = rig.endpoint.snapshot();
    // The offer of a call that was hung up.
    let mut ended = Rig::ringing("old", false);
    ended.hang_up("old");
    assert!(matches!(
        &ended.offer(offer("old", false))[..],
        [Action::SendSignal(Signal::End { .. })]
    ));
    assert_eq!(ended.state(), None, "it rings no second time");
    // A candidate before its offer, an offer too old, a hang-up or busy for a stale call.
    let early = Signal::Candidate {
        call: id("next"),
        candidate: Some(candidate("early")),
    };
    assert_eq!(rig.signal(early.clone()), []);
    assert_eq!(Rig::new().signal(early), []);
    let aged = Offer {
        expires_in: Some(Duration::ZERO),
        ..offer("aged", false)
    };
    assert_eq!(Rig::new().offer(aged.clone()), []);
    assert_eq!(rig.offer(aged), []);
    for reason in [
        EndReason::UserHangup,
        EndReason::UserBusy,
        EndReason::UserRejected,
    ] {
        assert_eq!(rig.signal(end("stale", reason, None)), []);
    }
    assert_eq!(rig.endpoint.snapshot(), before);
}
