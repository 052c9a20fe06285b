//! Calls for a stream in a room, which go one way, and other sides that take no re-offers (ZLMediaKit).

use crate::rig::*;
use ahoy_call::*;

fn stream(purpose: Purpose) -> StreamCall {
    StreamCall {
        purpose,
        vhost: "__defaultVhost__".into(),
        app: "live".into(),
        stream: "harbor".into(),
    }
}

fn calling_for(purpose: Purpose) -> (Rig, Vec<Action>) {
    let mut rig = Rig::basic();
    rig.command(Command::PlaceCall {
        call: id("c"),
        to: user(2),
        video: true,
        constraints: Constraints::default(),
        hide_addresses: false,
        stream: Some(Box::new(stream(purpose))),
    });
    let mut actions = rig.local_offer("c");
    actions.extend(rig.signal(answer("c")));
    actions.extend(rig.peer("c", PeerInput::Connected));
    (rig, actions)
}

fn sends_camera(actions: &[Action]) -> Option<bool> {
    actions.iter().find_map(|action| match action {
        Action::StartMedia { send_video, .. } => Some(*send_video),
        _ => None,
    })
}

#[test]
fn the_caller_of_a_stream_says_what_for_and_its_camera_follows() {
    for (purpose, way, camera) in [
        (Purpose::Play, Direction::RecvOnly, false),
        (Purpose::Push, Direction::SendOnly, true),
        (Purpose::Call, Direction::SendRecv, true),
    ] {
        let (rig, actions) = calling_for(purpose.clone());
        let Some(Signal::Offer(offer)) = signals(&actions).first().cloned() else {
            panic!("no offer in {actions:#?}");
        };
        assert_eq!(offer.stream, Some(stream(purpose)));
        assert_eq!(rig.endpoint.snapshot().map(|call| call.way), Some(way));
        assert_eq!(sends_camera(&actions), Some(camera), "{way:?}");
    }
}

#[test]
fn who_is_pulled_from_sends_and_who_is_pushed_to_sends_nothing() {
    for (purpose, way, camera) in [
        (Purpose::Play, Direction::SendOnly, true),
        (Purpose::Push, Direction::RecvOnly, false),
    ] {
        let mut rig = Rig::basic();
        rig.offer(Offer {
            stream: Some(stream(purpose)),
            ..offer("c", true)
        });
        assert_eq!(rig.endpoint.snapshot().map(|call| call.way), Some(way));
        let actions = rig.accept("c", true);
        assert_eq!(sends_camera(&actions), Some(camera), "{way:?}");
    }
}

#[test]
fn a_camera_cannot_be_turned_on_where_nothing_is_sent() {
    let (mut rig, _) = calling_for(Purpose::Play);
    let command = Command::SetCamera {
        call: id("c"),
        on: true,
    };
    let now = rig.now;
    assert_eq!(
        rig.endpoint.handle_command(now, command),
        Err(CommandError::WrongState)
    );
}

#[test]
fn a_re_offer_that_the_other_side_does_not_take_is_given_up_and_the_call_goes_on() {
    let (mut rig, _) = calling_for(Purpose::Play);
    rig.command(Command::RestartIce { call: id("c") });
    rig.local_offer("c");
    let unsupported = refused(Some("c"), RefusalCode::RenegotiationUnsupported, false, None);
    assert_eq!(rig.signal(unsupported), []);
    assert_eq!(rig.pass(60), [], "nothing is repeated and nothing ends");
    assert_eq!(rig.state(), Some(CallState::Connected));
}

/// Pushes `a` and plays `b` beside it; both offers are out.
fn two_way() -> Rig {
    let mut rig = Rig::basic();
    rig.command(Command::PlaceCall {
        call: id("a"),
        to: user(2),
        video: true,
        constraints: Constraints::default(),
        hide_addresses: false,
        stream: Some(Box::new(stream(Purpose::Push))),
    });
    rig.command(beside("b"));
    rig.local_offer("a");
    rig.local_offer("b");
    rig
}

fn beside(call: &str) -> Command {
    Command::PlaceBeside {
        call: id(call),
        to: user(2),
        video: true,
        constraints: Constraints::default(),
        hide_addresses: false,
        stream: Box::new(stream(Purpose::Play)),
    }
}

fn live(rig: &Rig) -> Vec<(CallId, CallState)> {
    let calls = rig.endpoint.snapshots();
    calls.map(|call| (call.call, call.state)).collect()
}

#[test]
fn two_calls_side_by_side_come_up_each_by_itself() {
    let mut rig = two_way();
    rig.signal(answer("b"));
    rig.peer("b", PeerInput::Connected);
    let states = [(id("a"), CallState::Calling), (id("b"), CallState::Connected)];
    assert_eq!(live(&rig), states);
    rig.signal(answer("a"));
    rig.peer("a", PeerInput::Connected);
    let ways = rig.endpoint.snapshots().map(|call| call.way);
    assert_eq!(
        ways.collect::<Vec<_>>(),
        [Direction::SendOnly, Direction::RecvOnly]
    );
    let early = rig.endpoint.ignored();
    rig.peer("b", PeerInput::Disconnected);
    assert_eq!(rig.endpoint.ignored(), early);
    assert_eq!(live(&rig)[1].1, CallState::Reconnecting);
    assert_eq!(live(&rig)[0].1, CallState::Connected);
}

#[test]
fn whichever_of_two_calls_ends_first_leaves_the_other_alone() {
    for (over, left) in [("a", "b"), ("b", "a")] {
        let mut rig = two_way();
        let actions = rig.signal(refused(Some(over), RefusalCode::StreamTaken, true, None));
        assert_eq!(ended(&actions).cause, EndCause::StreamTaken);
        assert_eq!(live(&rig), [(id(left), CallState::Calling)]);
        rig.signal(answer(left));
        rig.peer(left, PeerInput::Connected);
        assert_eq!(rig.state(), Some(CallState::Connected));
        let actions = rig.hang_up(left);
        assert_eq!(ended(&actions).cause, EndCause::HungUp);
        assert_idle(&rig);
    }
}

#[test]
fn a_call_unanswered_beside_one_that_goes_on_runs_out_of_time_alone() {
    let mut rig = two_way();
    rig.signal(answer("a"));
    rig.peer("a", PeerInput::Connected);
    let actions = rig.pass(60);
    assert_eq!(ended(&actions).cause, EndCause::NoAnswer);
    assert_eq!(live(&rig), [(id("a"), CallState::Connected)]);
}

#[test]
fn each_of_two_calls_is_hung_up_with_a_word_of_its_own() {
    let mut rig = two_way();
    for call in ["a", "b"] {
        rig.signal(answer(call));
        rig.peer(call, PeerInput::Connected);
    }
    for call in ["a", "b"] {
        let actions = rig.hang_up(call);
        assert_eq!(signals(&actions), [end(call, EndReason::UserHangup, None)]);
    }
    assert_idle(&rig);
}

#[test]
fn who_has_two_calls_is_busy_even_for_the_side_that_is_called() {
    let mut rig = two_way();
    let busy = [end("c", EndReason::UserBusy, None)];
    assert_eq!(signals(&rig.offer(offer("c", true))), busy);
    assert_eq!(live(&rig).len(), 2);
}

#[test]
fn a_call_is_placed_beside_one_that_is_there_and_never_a_third() {
    let mut rig = Rig::basic();
    let now = rig.now;
    let alone = rig.endpoint.handle_command(now, beside("b"));
    assert_eq!(alone, Err(CommandError::WrongState));
    let mut rig = two_way();
    let third = rig.endpoint.handle_command(now, beside("c"));
    assert_eq!(third, Err(CommandError::AlreadyInCall));
}
