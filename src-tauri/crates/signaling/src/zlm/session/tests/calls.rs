//! Calls and their answers, ends, candidates, re-offers, and what belongs to no call.

use super::*;
use crate::zlm::own::NOTHING;

fn stream_call(purpose: Purpose) -> StreamCall {
    StreamCall {
        purpose,
        vhost: "v".to_owned(),
        app: "live".to_owned(),
        stream: "harbor".to_owned(),
    }
}

fn refusal(bench: &mut Bench) -> RefusalCode {
    match &bench.signals()[..] {
        [
            Signal::Refused {
                call: Some(id),
                refusal,
            },
        ] if *id == call() => refusal.code.clone(),
        other => panic!("{other:?}"),
    }
}

fn note(say: Value) -> Value {
    about_own(
        "indication",
        "candidate",
        json!({
            "candidate": "-", "ufrag": "-", "pwd": "-", FIELD: say
        }),
    )
}

#[test]
fn a_call_names_the_callees_room_and_a_guest_of_the_own_one() {
    let (_, request) = Bench::calling();
    assert_eq!(
        (&request["class"], &request["method"]),
        (&json!("request"), &json!("call"))
    );
    assert_eq!(request["room_id"], "alice");
    assert_eq!(request["guest_id"], format!("bob_{RANDOM}"));
    assert_eq!(
        (&request["type"], &request["vhost"]),
        (&json!("call"), &json!("__defaultVhost__"))
    );
    assert_eq!(request["sdp"], SDP);
}

#[test]
fn a_stream_is_called_by_its_name() {
    let mut bench = Bench::ready();
    bench.say(Signal::Offer(Box::new(Offer {
        stream: Some(stream_call(Purpose::Play)),
        ..offer()
    })));
    let sent = &bench.sent()[0];
    assert_eq!(
        [&sent["type"], &sent["vhost"], &sent["app"], &sent["stream"]],
        ["play", "v", "live", "harbor"]
    );
}

#[test]
fn the_own_room_and_users_are_never_called() {
    let mut bench = Bench::ready();
    bench.say(Signal::Offer(Box::new(Offer {
        to: Party::Room(room("bob")),
        ..offer()
    })));
    assert_eq!(refusal(&mut bench), RefusalCode::SelfCall);
    let user = Party::User(UserId::new(1).expect("an id"));
    let result = bench.session.handle_signal(
        bench.now,
        wall(),
        Signal::Offer(Box::new(Offer {
            to: user.clone(),
            ..offer()
        })),
    );
    assert_eq!(result, Err(ProtocolError::WrongAddress(user)));
    assert_eq!(bench.sent(), [] as [Value; 0]);
}

#[test]
fn an_answer_counts_once_and_only_for_the_open_request() {
    let (mut bench, request) = Bench::calling();
    let mut stale = accept(&request, None);
    stale["transaction_id"] = "another".into();
    bench.text(stale);
    assert_eq!(bench.signals(), []);
    bench.text(accept(&request, None));
    let signals = bench.signals();
    let [Signal::Answer { call: id, sdp, .. }] = &signals[..] else {
        panic!("{signals:?}");
    };
    assert_eq!((id, sdp.as_str()), (&call(), "v=0\r\nm=audio 9 X 0\r\n"));
    bench.text(accept(&request, None));
    assert_eq!(bench.signals(), []);
}

#[test]
fn an_unanswered_call_ends_after_thirty_seconds_on_both_sides() {
    let (mut bench, _) = Bench::calling();
    bench.pass_alive(29 * SECOND);
    assert_eq!(bench.signals(), []);
    bench.pass_alive(2 * SECOND);
    let timeout = Signal::End {
        call: call(),
        reason: EndReason::Timeout,
        detail: Some(EndDetail::Ring),
    };
    assert_eq!(bench.signals(), [timeout]);
    let sent = bench.sent();
    assert_eq!((sent.len(), &sent[0]["method"]), (1, &json!("bye")));
}

#[test]
fn the_servers_and_a_media_servers_words_become_own_ones() {
    for (reason, code) in [
        ("room_id: \"alice\" unregistered", RefusalCode::UserOffline),
        ("stream not found", RefusalCode::StreamNotFound),
        ("already publishing", RefusalCode::StreamTaken),
        ("the type can not supported", RefusalCode::BadSdp),
        (
            "Assertion failed: (mid), /src/webrtc/Sdp.cpp:1812",
            RefusalCode::BadSdp,
        ),
    ] {
        let (mut bench, request) = Bench::calling();
        bench.text(reject(&request, reason, None));
        assert_eq!(refusal(&mut bench), code, "{reason}");
        bench.text(reject(&request, reason, None));
        assert_eq!(bench.signals(), [], "twice is once");
    }
}

#[test]
fn busy_and_declined_are_told_apart_whoever_says_it() {
    let own = |reason: &str| Some(json!({ "reason": reason }));
    for (text, own, reason) in [
        ("busy", own("user_busy"), EndReason::UserBusy),
        ("declined", own("user_rejected"), EndReason::UserRejected),
        ("no answer", own("timeout"), EndReason::Timeout),
        ("Busy here", None, EndReason::UserBusy),
        ("no", None, EndReason::UserRejected),
    ] {
        let (mut bench, request) = Bench::calling();
        bench.text(reject(&request, text, own));
        assert_eq!(bench.signals(), [end(reason)], "{text}");
    }
}

#[test]
fn a_lost_registration_is_made_anew() {
    let (mut bench, request) = Bench::calling();
    bench.text(reject(&request, "should register first", None));
    let events = bench.events();
    assert!(events.contains(&Event::Silent), "{events:?}");
    // The one about an accept has no method.
    let mut bench = Bench::ready();
    bench.text(json!({"class": "reject", "transaction_id": "t", "room_id": "bob", "reason": "should register first"}));
    assert_eq!(bench.events(), [Event::Silent]);
}

#[test]
fn an_incoming_call_rings_and_its_answer_repeats_its_fields() {
    let mut bench = Bench::ready();
    bench.text(request("t1", Some(json!({}))));
    let signals = bench.signals();
    let [Signal::Offer(offer)] = &signals[..] else {
        panic!("{signals:?}");
    };
    assert_eq!((&offer.call, &offer.from), (&call(), &Party::Room(room("alice"))));
    assert_eq!(
        (offer.video, &offer.stream, offer.expires_in),
        (true, &None, None)
    );
    assert!(offer.sdp.ends_with("\r\n"));
    bench.say(Signal::Ringing { call: call() });
    bench.say(answer(None));
    let sent = bench.sent();
    assert_eq!(sent[0][FIELD]["say"], "ringing");
    assert_eq!(
        (&sent[0]["candidate"], &sent[0]["guest_id"]),
        (&json!(NOTHING), &json!(format!("alice_{RANDOM}")))
    );
    assert_eq!(
        (&sent[1]["class"], &sent[1]["transaction_id"]),
        (&json!("accept"), &json!("t1"))
    );
    assert_eq!(
        [
            &sent[1]["type"],
            &sent[1]["vhost"],
            &sent[1]["app"],
            &sent[1]["stream"]
        ],
        ["call", "__defaultVhost__", "call", "main"]
    );
}

#[test]
fn nobody_else_is_told_of_ringing_and_reports() {
    let mut bench = Bench::ready();
    bench.text(request("t1", None));
    bench.say(Signal::Ringing { call: call() });
    assert_eq!(bench.sent(), [] as [Value; 0]);
    bench.say(Signal::Renegotiate {
        call: call(),
        ice_restart: true,
        video: None,
    });
    assert_eq!(bench.sent(), [] as [Value; 0]);
}

#[test]
fn a_media_server_that_calls_waits_for_no_human() {
    let mut bench = Bench::ready();
    let mut call = request("t1", None);
    call["guest_id"] = "ringing_XXXXXXXXXXXXXXXX_YYYYYYYYYYYYYYYY".into();
    call["type"] = "play".into();
    bench.text(call);
    let signals = bench.signals();
    let [Signal::Offer(offer)] = &signals[..] else {
        panic!("{signals:?}");
    };
    assert_eq!(offer.expires_in, Some(8 * SECOND));
    let purpose = offer.stream.as_ref().map(|stream| stream.purpose.clone());
    assert_eq!(purpose, Some(Purpose::Play));
}

#[test]
fn declined_is_a_reject_before_the_answer_and_a_bye_after_it() {
    for (reason, word) in [
        (EndReason::UserRejected, "declined"),
        (EndReason::UserBusy, "busy"),
        (EndReason::Timeout, "no answer"),
    ] {
        let mut bench = Bench::ready();
        bench.text(request("t1", None));
        bench.say(end(reason));
        let sent = bench.sent();
        assert_eq!(
            (&sent[0]["class"], &sent[0]["transaction_id"]),
            (&json!("reject"), &json!("t1"))
        );
        assert_eq!(
            (&sent[0]["reason"], &sent[0]["app"]),
            (&json!(word), &json!("call"))
        );
        assert_eq!(sent[0][FIELD]["reason"], reason.as_str());
    }
    let mut bench = Bench::answered();
    bench.say(end(EndReason::UserHangup));
    let sent = bench.sent();
    assert_eq!(
        (&sent[0]["class"], &sent[0]["method"]),
        (&json!("indication"), &json!("bye"))
    );
    assert_eq!(
        (&sent[0]["room_id"], &sent[0][FIELD]["reason"]),
        (&json!("bob"), &json!("user_hangup"))
    );
}

#[test]
fn a_caller_that_gives_up_says_bye_and_a_second_call_rings_again() {
    let (mut bench, _) = Bench::calling();
    bench.say(end(EndReason::UserHangup));
    let sent = bench.sent();
    assert_eq!(
        (&sent[0]["method"], &sent[0]["room_id"]),
        (&json!("bye"), &json!("alice"))
    );
    bench.text(about_own("indication", "bye", json!({})));
    assert_eq!(bench.signals(), [], "the server remembers longer than this side");
}

#[test]
fn candidates_go_without_a_prefix_and_with_the_own_credentials() {
    let (mut bench, _) = Bench::calling();
    for text in [
        "candidate:1 1 udp 9 10.0.0.1 9 typ host",
        "1 1 udp 9 10.0.0.1 9 typ host",
    ] {
        bench.say(Signal::Candidate {
            call: call(),
            candidate: Some(Candidate {
                candidate: text.to_owned(),
                sdp_mid: Some("0".to_owned()),
                sdp_m_line_index: Some(0),
                username_fragment: None,
            }),
        });
        let sent = &bench.sent()[0];
        assert_eq!(
            [&sent["candidate"], &sent["ufrag"], &sent["pwd"]],
            ["1 1 udp 9 10.0.0.1 9 typ host", "uu", "pp"]
        );
    }
    bench.say(Signal::Candidate {
        call: call(),
        candidate: None,
    });
    assert_eq!(bench.sent(), [] as [Value; 0], "their end cannot be said");
}

#[test]
fn candidates_of_others_come_in_both_forms_and_before_the_answer_too() {
    let (mut bench, _) = Bench::calling();
    for text in ["candidate:1 1 udp 9 h 9 typ host", "1 1 udp 9 h 9 typ host"] {
        bench.text(about_own(
            "indication",
            "candidate",
            json!({"candidate": text, "ufrag": "Ck0AAUZQRlA/12", "pwd": "x", "sender": "alice"}),
        ));
        let signals = bench.signals();
        let [
            Signal::Candidate {
                candidate: Some(candidate),
                ..
            },
        ] = &signals[..]
        else {
            panic!("{signals:?}");
        };
        assert_eq!(candidate.candidate, "candidate:1 1 udp 9 h 9 typ host");
        assert_eq!(candidate.username_fragment.as_deref(), Some("Ck0AAUZQRlA/12"));
        assert_eq!((&candidate.sdp_mid, candidate.sdp_m_line_index), (&None, Some(0)));
    }
}

#[test]
fn unknown_guests_and_other_rooms_are_nobodys_call() {
    let mut bench = Bench::talking(None);
    for mut message in [
        about_own("indication", "bye", json!({})),
        about_own(
            "indication",
            "candidate",
            json!({"candidate": "c", "ufrag": "u", "pwd": "p"}),
        ),
        about_own("accept", "call", json!({"sdp": "v=0"})),
    ] {
        message["guest_id"] = "bob_forged".into();
        bench.text(message.clone());
        message["guest_id"] = format!("bob_{RANDOM}").into();
        message["room_id"] = "mallory".into();
        bench.text(message);
    }
    let mut elsewhere = request("t9", None);
    elsewhere["room_id"] = "alice".into();
    bench.text(elsewhere);
    assert_eq!(bench.signals(), []);
}

#[test]
fn the_caller_re_offers_by_a_second_call_with_the_same_guest() {
    let mut bench = Bench::talking(Some(json!({})));
    bench.say(Signal::Offer(Box::new(Offer {
        negotiation: 1,
        ..offer()
    })));
    let sent = bench.sent();
    assert_eq!(
        (&sent[0]["method"], &sent[0]["guest_id"]),
        (&json!("call"), &json!(format!("bob_{RANDOM}")))
    );
    assert_eq!(sent[0][FIELD]["negotiation"], 1);
    bench.text(accept(&sent[0], Some(json!({"negotiation": 1}))));
    assert!(matches!(
        bench.signals()[..],
        [Signal::Answer {
            negotiation: Some(1),
            ..
        }]
    ));
}

#[test]
fn the_callee_re_offers_beside_the_protocol() {
    let mut bench = Bench::answered();
    bench.say(Signal::Offer(Box::new(Offer {
        negotiation: 1,
        ..offer()
    })));
    let sent = bench.sent();
    assert_eq!(
        sent[0]["method"], "candidate",
        "a call to the own room breaks a MediaServer down"
    );
    assert_eq!(sent[0][FIELD]["say"]["offer"]["sdp"], SDP);

    let mut caller = Bench::talking(Some(json!({})));
    caller.text(note(json!({"negotiation": 1, "say": {"offer": {"sdp": "v=0"}}})));
    let signals = caller.signals();
    let [Signal::Offer(reoffer)] = &signals[..] else {
        panic!("{signals:?}");
    };
    assert_eq!(
        (reoffer.negotiation, &reoffer.from),
        (1, &Party::Room(room("alice")))
    );
    caller.say(answer(Some(1)));
    let sent = caller.sent();
    assert_eq!(
        (&sent[0]["method"], &sent[0][FIELD]["negotiation"]),
        (&json!("candidate"), &json!(1))
    );
    assert_eq!(sent[0][FIELD]["say"]["answer"]["sdp"], SDP);
}

#[test]
fn a_second_call_of_the_same_guest_is_a_re_offer() {
    let mut bench = Bench::answered();
    bench.text(request("t2", Some(json!({"negotiation": 3}))));
    assert!(
        matches!(&bench.signals()[..], [Signal::Offer(offer)] if offer.negotiation == 3 && offer.call == call())
    );
    bench.say(answer(Some(3)));
    let sent = bench.sent();
    assert_eq!(
        (&sent[0]["transaction_id"], &sent[0][FIELD]["negotiation"]),
        (&json!("t2"), &json!(3))
    );
}

#[test]
fn a_media_server_gets_no_re_offer() {
    let mut bench = Bench::talking(None);
    bench.say(Signal::Offer(Box::new(Offer {
        negotiation: 1,
        ..offer()
    })));
    assert_eq!(refusal(&mut bench), RefusalCode::RenegotiationUnsupported);
    assert_eq!(bench.sent(), [] as [Value; 0]);
}

#[test]
fn ringing_reports_and_wishes_come_beside_the_protocol() {
    let (mut bench, _) = Bench::calling();
    bench.text(note(json!({"say": "ringing"})));
    assert_eq!(bench.signals(), [Signal::Ringing { call: call() }]);
    bench.text(note(
        json!({"say": {"renegotiate": {"ice_restart": true, "video": null}}}),
    ));
    assert!(matches!(
        bench.signals()[..],
        [Signal::Renegotiate {
            ice_restart: true,
            ..
        }]
    ));
    let report = json!({"call_id": call().as_str(), "status": "connected", "media": {"audio": "muted"}});
    bench.text(note(json!({"say": {"report": report}})));
    assert!(matches!(bench.signals()[..], [Signal::Report { .. }]));
    bench.text(note(json!({"say": {"something": "newer"}})));
    assert_eq!(bench.signals(), []);
}

#[test]
fn a_report_arrives_as_it_was_said() {
    let report = ahoy_call::Report {
        connected: true,
        duration: Some(9 * SECOND),
        audio_quality: Some(ahoy_call::LinkQuality::Good),
        video_quality: None,
        network: None,
        media: Some(ahoy_call::MediaState {
            audio: Some(ahoy_call::Toggle::Off),
            video: None,
            screen: None,
        }),
    };
    let said = Signal::Report { call: call(), report };
    let mut callee = Bench::answered();
    callee.say(said.clone());
    let own = callee.sent()[0][FIELD].clone();
    let mut caller = Bench::talking(Some(json!({})));
    caller.text(note(own));
    assert_eq!(caller.signals(), [said]);
}

#[test]
fn a_flood_of_calls_is_answered_busy_and_the_live_one_stays() {
    let mut bench = Bench::answered();
    for n in 0..200 {
        let mut call = request(&format!("f{n}"), None);
        call["guest_id"] = format!("mallory_{n}").into();
        bench.text(call);
    }
    bench.events();
    let sent = bench.sent();
    assert!(sent.len() > 100 && sent.iter().all(|message| message["reason"] == "busy"));
    bench.text(request("t2", Some(json!({"negotiation": 1}))));
    assert_eq!(bench.signals().len(), 1);
}

#[test]
fn guests_whose_names_are_none_get_calls_all_the_same() {
    let mut bench = Bench::ready();
    for guest in ["蜂鸟_1", "x y_2"] {
        let mut call = request("t", None);
        call["guest_id"] = guest.into();
        bench.text(call);
        assert_eq!(bench.signals().len(), 1, "{guest}");
    }
}
