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
