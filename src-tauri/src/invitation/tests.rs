use super::*;

const SERVER: &str = "wss://media.harbor.example/signaling";

fn parsed(text: &str) -> (String, String) {
    let invitation = Invitation::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    (invitation.server().to_owned(), invitation.room().to_string())
}

fn refused(text: &str) -> InvitationError {
    match Invitation::parse(text) {
        Err(error) => error,
        Ok(invitation) => panic!("{text} was read as {invitation:?}"),
    }
}

#[test]
fn a_link_says_the_server_and_the_room() {
    let wanted = (SERVER.to_owned(), "quiet-cabin".to_owned());
    for text in [
        "ahoy:room?server=wss://media.harbor.example/signaling&room=quiet-cabin",
        "ahoy:room?room=quiet-cabin&server=wss%3A%2F%2Fmedia.harbor.example%2Fsignaling",
        "ahoy://room?server=wss://media.harbor.example/signaling&room=quiet-cabin",
        "ahoy://room/?server=wss://media.harbor.example:443/signaling&room=quiet-cabin",
        "AHOY:room?server=WSS://Media.Harbor.Example/signaling&room=quiet%2Dcabin",
        "  ahoy:room?server=wss://media.harbor.example/signaling&room=quiet-cabin&later=1\n",
    ] {
        assert_eq!(parsed(text), wanted, "{text}");
    }
    let local = Invitation::parse("ahoy:room?server=ws://[::1]:8080/x/signaling&room=a").unwrap();
    assert_eq!(
        (local.host().as_str(), local.is_encrypted()),
        ("[::1]:8080", false)
    );
}

#[test]
fn every_room_that_a_link_is_made_for_comes_back_from_it() {
    for room in [
        "alice",
        "harbor cam",
        "a&b=c+d%41#e?",
        "林雅的房间",
        "🐙",
        &"x".repeat(256),
    ] {
        let link = Invitation::link(SERVER, room).unwrap_or_else(|| panic!("no link for {room}"));
        assert!(link.is_ascii() && !link.contains(' '), "{link}");
        assert_eq!(parsed(&link), (SERVER.to_owned(), room.to_owned()));
    }
    assert_eq!(Invitation::link(SERVER, ""), None);
    assert_eq!(
        Invitation::link("wss://im.harbor.example/ws", "alice"),
        None,
        "no rooms there"
    );
    assert_eq!(
        Invitation::link("wss://h/signaling?token=secret", "alice"),
        None,
        "no secret leaves"
    );
}

#[test]
fn what_is_no_invitation_is_not_read_as_one() {
    for text in [
        "",
        "hello",
        "room?server=wss://h/signaling&room=a",
        "https://h/room?server=wss://h/signaling&room=a",
        "ahoy:",
        "ahoy:call?server=wss://h/signaling&room=a",
        "ahoy:room/x?server=wss://h/signaling&room=a",
        "ahoy://room.evil.example?server=wss://h/signaling&room=a",
        "ahoy://me@room?server=wss://h/signaling&room=a",
        "ahoy://room:80?server=wss://h/signaling&room=a",
        "ahoy:room?server=wss://h/signaling&room=a#fragment",
        "ahoy:room?server=wss://h/signaling\n&room=a",
        "ahoy:room?server=wss://h/signaling&room=a b",
        "ahoy:ro\tom?server=wss://h/signaling&room=a",
    ] {
        assert_eq!(refused(text), InvitationError::NotOne, "{text:?}");
    }
    let long = format!("ahoy:room?server={SERVER}&room=a&x={}", "y".repeat(MOST));
    assert_eq!(refused(&long), InvitationError::TooLong);
}

#[test]
fn what_is_missing_or_said_twice_is_named() {
    assert_eq!(refused("ahoy:room"), InvitationError::Lacks("room"));
    assert_eq!(refused("ahoy:room?room=a"), InvitationError::Lacks("server"));
    assert_eq!(
        refused("ahoy:room?server=wss://h/signaling&room=a&room=b"),
        InvitationError::Twice("room")
    );
    assert_eq!(
        refused("ahoy:room?server=wss://h/signaling&server=wss://evil/signaling&room=a"),
        InvitationError::Twice("server")
    );
    assert_eq!(refused("ahoy:room?room=a").code(), "invitation_incomplete");
}

#[test]
fn a_server_is_the_address_of_a_server_of_rooms_and_nothing_more() {
    for server in [
        "",
        "h/signaling",
        "https://h/signaling",
        "file:///signaling",
        "wss://h/ws",
        "wss://h/signaling/../ws",
        "wss:///signaling?",
        "wss://trusted.example@evil.example/signaling",
        "wss://me:secret@h/signaling",
        "wss://h/signaling?token=x",
        "wss://h/signaling%23x",
        "wss://h/x%3F/signaling%0a",
        "wss://h\\@evil/signaling",
        "wss://h%09/signaling",
        "wss://ex%ample/signaling",
    ] {
        let escaped: String = tauri::Url::parse_with_params("ahoy:room", [("server", server), ("room", "a")])
            .unwrap()
            .into();
        assert_eq!(refused(&escaped), InvitationError::Server, "{server:?}");
    }
}

#[test]
fn a_host_that_looks_like_another_is_shown_as_what_it_is() {
    // A Cyrillic а.
    let invitation =
        Invitation::parse("ahoy:room?server=wss://h%D0%B0rbor.example/signaling&room=a").unwrap();
    assert_eq!(invitation.host(), "xn--hrbor-4ve.example");
}

#[test]
fn a_room_that_shows_something_else_than_it_is_is_refused() {
    for room in [
        "",
        " alice",
        "alice\u{a0}",
        "al\u{200b}ice",
        "\u{202e}ecila",
        "ali\u{ad}ce",
        "\u{2800}",
        "alice\u{e0041}",
        "a\u{7}",
        "a\nb",
        &"x".repeat(257),
    ] {
        let link: String = tauri::Url::parse_with_params("ahoy:room", [("server", SERVER), ("room", room)])
            .unwrap()
            .into();
        assert_eq!(refused(&link).code(), "invitation_room", "{room:?}");
    }
    let bytes = format!("ahoy:room?server={SERVER}&room=a%ff");
    assert_eq!(refused(&bytes), InvitationError::Room("it is no text"));
}

#[test]
fn nothing_that_is_typed_makes_it_fail_otherwise() {
    // A small generator of texts near to an invitation, always the same ones.
    let parts = [
        "ahoy:",
        "room",
        "?",
        "server=",
        "wss://",
        "h",
        "/signaling",
        "&",
        "room=",
        "a",
        "%",
        "%00",
        "%f",
        "\u{202e}",
        "[",
        "]",
        ":",
        "@",
        "#",
        "//",
        "\\",
        "é",
        "\u{0}",
        "=",
        "+",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut read = 0;
    for _ in 0..20_000 {
        let mut text = String::from("ahoy:room?server=wss://h/signaling&room=ab");
        for _ in 0..state % 9 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let part = parts[(state >> 33) as usize % parts.len()];
            let at = (state >> 40) as usize % (text.len() + 1);
            if text.is_char_boundary(at) {
                text.insert_str(at, part);
            }
        }
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15).rotate_left(7);
        if let Ok(invitation) = Invitation::parse(&text) {
            read += 1;
            let link = Invitation::link(invitation.server(), invitation.room().as_str());
            let again = Invitation::parse(&link.expect("what is read can be said")).expect("and read again");
            assert_eq!(again, invitation, "{text:?}");
        }
    }
    assert!(read > 100, "only {read} were invitations");
}
