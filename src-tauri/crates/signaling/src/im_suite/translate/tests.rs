use super::*;
use crate::im_suite::wire::Envelope;
use ahoy_call::{
    CallId, Constraints, LinkPath, LinkQuality, MediaState, NetworkStats, RefusalCode, RefusalGroup, Report,
    Resolution, Toggle,
};
use serde_json::{Value, json};

fn context() -> Context {
    Context {
        me: UserId::new(1).expect("id"),
        peer: UserId::new(2).ok(),
        wall: "2025-10-07T12:00:00.25Z".parse().expect("time"),
        negotiation: true,
        talked: Duration::from_secs(120),
    }
}

fn call() -> CallId {
    CallId::new("c1").expect("id")
}

fn candidate() -> ahoy_call::Candidate {
    ahoy_call::Candidate {
        candidate: "candidate:1 1 UDP 1 192.0.2.1 9 typ host".to_owned(),
        sdp_mid: Some("0".to_owned()),
        sdp_m_line_index: Some(0),
        username_fragment: Some("u".to_owned()),
    }
}

fn offer() -> Offer {
    let user = |n| Party::User(UserId::new(n).expect("id"));
    Offer {
        call: call(),
        from: user(1),
        to: user(2),
        video: true,
        sdp: "v=0\r\n".to_owned(),
        candidates: vec![candidate()],
        constraints: Constraints {
            prefer_hd: Some(true),
            fallback_to_audio: Some(false),
            max_bandwidth: Some(900_000),
            frame_rate: Some(15),
            resolution: Some(Resolution {
                width: 640,
                height: 360,
            }),
            audio_codecs: vec!["opus".to_owned()],
            video: false,
            ..Constraints::default()
        },
        negotiation: 3,
        expires_in: None,
        caller_name: None,
        stream: None,
    }
}

fn refusal(code: RefusalCode, fatal: bool) -> Refusal {
    Refusal {
        group: RefusalGroup::Network,
        code,
        fatal,
        text: "why".to_owned(),
        winner: None,
        retry_after: Some(Duration::from_millis(1500)),
    }
}

/// What the peer understands when this is sent; through text, as on the wire.
fn heard(signal: Signal) -> Option<Signal> {
    let message = message_of(signal, &context()).expect("sendable");
    let text = Envelope::new(message, None).to_text();
    signal_of(
        Envelope::read(&text).expect("readable").message,
        UserId::new(2).ok(),
    )
    .expect("understood")
}

fn meaning(kind: &str, payload: Value) -> Option<Signal> {
    let text = json!({"type": kind, "payload": payload}).to_string();
    signal_of(
        Envelope::read(&text).expect("readable").message,
        UserId::new(2).ok(),
    )
    .expect("understood")
}

#[test]
fn what_is_said_is_what_is_heard() {
    let report = Report {
        connected: true,
        duration: Some(Duration::from_secs(60)),
        audio_quality: Some(LinkQuality::Good),
        video_quality: Some(LinkQuality::VeryPoor),
        network: Some(NetworkStats {
            packet_loss: Some(0.015),
            jitter: Some(5.5),
            rtt: Some(50.0),
            bitrate_in: Some(1_000_000),
            bitrate_out: Some(64_000),
            available_out: Some(2_000_000),
            fps: Some(29.97),
            resolution: Some(Resolution {
                width: 1280,
                height: 720,
            }),
            path: Some(LinkPath::ServerReflexive),
        }),
        media: Some(MediaState {
            audio: Some(Toggle::Off),
            video: Some(Toggle::On),
            screen: None,
        }),
    };
    let signals = [
        Signal::Offer(Box::new(offer())),
        Signal::Ringing { call: call() },
        Signal::Answer {
            call: call(),
            sdp: "v=0\r\n".to_owned(),
            candidates: vec![candidate()],
            constraints: Some(Constraints::default()),
            negotiation: Some(3),
        },
        Signal::Candidate {
            call: call(),
            candidate: Some(candidate()),
        },
        Signal::Candidate {
            call: call(),
            candidate: None,
        },
        Signal::End {
            call: call(),
            reason: EndReason::UserRejected,
            detail: Some(EndDetail::MediaFailure),
        },
        Signal::End {
            call: call(),
            reason: EndReason::NetworkError,
            detail: Some(EndDetail::Other("x".to_owned())),
        },
        Signal::Refused {
            call: Some(call()),
            refusal: refusal(RefusalCode::BadSdp, true),
        },
        Signal::Refused {
            call: None,
            refusal: refusal(RefusalCode::Other("x".to_owned()), false),
        },
        Signal::Report {
            call: call(),
            report: report.clone(),
        },
        Signal::Report {
            call: call(),
            report: Report {
                connected: false,
                ..report
            },
        },
        Signal::Renegotiate {
            call: call(),
            ice_restart: true,
            video: None,
        },
        Signal::Renegotiate {
            call: call(),
            ice_restart: false,
            video: Some(true),
        },
    ];
    for signal in signals {
        assert_eq!(heard(signal.clone()), Some(signal));
    }
}

#[test]
fn every_end_reason_and_detail_keeps_its_word() {
    let reasons = [
        EndReason::UserHangup,
        EndReason::UserRejected,
        EndReason::UserBusy,
        EndReason::Timeout,
        EndReason::NetworkError,
        EndReason::ServerError,
    ];
    for reason in reasons {
        assert_eq!(EndReason::from_word(reason.as_str()), reason);
    }
    assert_eq!(EndReason::from_word("a new word"), EndReason::UserHangup);
    let details = [
        EndDetail::Cancelled,
        EndDetail::MediaFailure,
        EndDetail::Glare,
        EndDetail::Ring,
        EndDetail::IceFailed,
        EndDetail::DtlsFailed,
        EndDetail::BadSdp,
        EndDetail::SignalingLost,
        EndDetail::MediaLost,
    ];
    for detail in details {
        assert_eq!(EndDetail::from_word(detail.as_str()), detail);
    }
}

#[test]
fn an_offer_goes_out_flat_with_the_nested_settings_beside_it() {
    let message = message_of(Signal::Offer(Box::new(offer())), &context()).expect("an offer");
    let payload = Envelope::new(message, None).to_value()["payload"].take();
    assert_eq!(
        payload["constraints"],
        json!({
        "audio": true, "video": false, "audio_codecs": ["opus"], "video_codecs": ["VP8", "VP9", "H264"],
        "max_bandwidth": 900_000,
        "network": {"max_bandwidth": 900_000, "min_bandwidth": 64_000, "prefer_hd": true, "fallback_to_audio": false},
        "audio_params": {"enabled": true, "codecs": ["opus"]},
        "video_params": {"enabled": false, "codecs": ["VP8", "VP9", "H264"],
            "resolution": {"width": 640, "height": 360}, "frame_rate": 15}})
    );
    assert_eq!(payload["created_at"], "2025-10-07T12:00:00.250Z");
    assert_eq!(payload["negotiation"], 3);
    assert_eq!(
        (&payload["from_user"], &payload["to_user"]),
        (&json!(1), &json!(2))
    );
}

#[test]
fn negotiation_is_not_mentioned_to_servers_without_features() {
    let basic = Context {
        negotiation: false,
        ..context()
    };
    let message = message_of(Signal::Offer(Box::new(offer())), &basic).expect("an offer");
    assert_eq!(
        Envelope::new(message, None).to_value()["payload"].get("negotiation"),
        None
    );
}

fn constraints_of(wire: Value) -> Constraints {
    super::constraints::read(&crate::im_suite::wire::Constraints::from_value(wire).expect("constraints"))
}

#[test]
fn flat_and_nested_constraints_mean_the_same_and_flat_wins() {
    let flat = constraints_of(
        json!({"audio": true, "video": false, "video_codecs": ["VP9"], "max_bandwidth": 500_000}),
    );
    let nested = constraints_of(
        json!({"audio": {}, "video": {"enabled": false, "codecs": ["VP9"]},
        "network": {"max_bandwidth": 500_000}}),
    );
    assert_eq!(flat, nested);
    assert_eq!(
        (flat.audio, flat.video, flat.max_bandwidth),
        (true, false, Some(500_000))
    );
    let both = constraints_of(
        json!({"video": false, "video_params": {"enabled": true, "frame_rate": 15},
        "max_bandwidth": 1, "network": {"max_bandwidth": 2}, "audio_codecs": ["PCMU"], "audio": {"codecs": ["opus"]}}),
    );
    assert_eq!(
        (both.video, both.frame_rate, both.max_bandwidth),
        (false, Some(15), Some(1))
    );
    assert_eq!(both.audio_codecs, ["PCMU"]);
    assert_eq!(constraints_of(json!({})), Constraints::default());
}

#[test]
fn a_value_out_of_range_is_ignored_and_its_neighbours_count() {
    let odd = constraints_of(
        json!({"max_bandwidth": -5, "network": {"max_bandwidth": 300_000, "min_bandwidth": 1.5},
        "video": {"resolution": {"width": 7681, "height": 720}, "frame_rate": 15.0}}),
    );
    let default = Constraints::default();
    assert_eq!(odd.max_bandwidth, Some(300_000));
    assert_eq!(odd.min_bandwidth, default.min_bandwidth);
    assert_eq!(odd.resolution, default.resolution);
    assert_eq!(odd.frame_rate, Some(15));
    let fast =
        constraints_of(json!({"video": {"frame_rate": 121, "resolution": {"width": 7680, "height": 1}}}));
    assert_eq!(fast.frame_rate, default.frame_rate);
    assert_eq!(
        fast.resolution,
        Some(Resolution {
            width: 7680,
            height: 1
        })
    );
}

#[test]
fn an_sdp_gets_its_final_line_end_once() {
    for (sdp, read) in [("v=0", "v=0\r\n"), ("v=0\r\n", "v=0\r\n"), ("v=0\n", "v=0\n")] {
        let payload = json!({"call_id": "c1", "sdp": {"type": "answer", "sdp": sdp}});
        let Some(Signal::Answer { sdp, .. }) = meaning("call.answer", payload) else {
            panic!("an answer")
        };
        assert_eq!(sdp, read);
    }
}

#[test]
fn an_empty_candidate_is_the_end_of_candidates() {
    let payload = json!({"call_id": "c1", "ice_candidate": {"candidate": "", "sdpMid": "0"}});
    let end = Signal::Candidate {
        call: call(),
        candidate: None,
    };
    assert_eq!(meaning("call.ice", payload), Some(end));
}

#[test]
fn an_offer_brings_at_most_sixty_four_candidates_and_the_callers_name() {
    let candidates = vec![json!({"candidate": "c", "sdpMid": "0"}); 70];
    let payload = json!({"call_id": "c1", "from_user": 1, "call_type": "audio", "sdp": "v=0", "expires_in": 30,
        "ice_candidates": candidates, "caller": {"id": 1, "username": "ann", "nickname": "Ann"}});
    let Some(Signal::Offer(offer)) = meaning("call.offer", payload) else {
        panic!("an offer")
    };
    assert_eq!((offer.candidates.len(), offer.video), (64, false));
    assert_eq!(offer.caller_name.as_deref(), Some("Ann"));
    assert_eq!(offer.expires_in, Some(Duration::from_secs(30)));
    assert_eq!(offer.to, Party::User(UserId::new(2).expect("id")));
    assert_eq!(offer.constraints, Constraints::default());
}

#[test]
fn an_offer_from_nobody_is_refused() {
    let text =
        json!({"type": "call.offer", "payload": {"call_id": "c1", "call_type": "audio", "sdp": "v=0"}})
            .to_string();
    let message = Envelope::read(&text).expect("readable").message;
    let error = signal_of(message, UserId::new(2).ok()).expect_err("no sender");
    assert_eq!(error.field(), Some("from_user"));
}

#[test]
fn errors_without_details_and_glare_are_understood() {
    let Some(Signal::Refused { call: None, refusal }) = meaning(
        "call.error",
        json!({"error_code": "MEDIA_ERROR", "error_message": "a", "details": {"reason": "b"}}),
    ) else {
        panic!("a refusal")
    };
    assert_eq!(
        (refusal.group, refusal.fatal, refusal.text.as_str()),
        (RefusalGroup::Media, false, "a: b")
    );
    let Some(Signal::Refused { refusal, .. }) = meaning(
        "call.error",
        json!({"call_id": "c1",
        "error_code": "a new word", "details": {"code": "glare", "call_id_winner": "c0"}}),
    ) else {
        panic!("a refusal")
    };
    assert_eq!(
        (refusal.group, refusal.code, refusal.fatal),
        (RefusalGroup::Signaling, RefusalCode::Glare, true)
    );
    assert_eq!(refusal.winner, CallId::new("c0").ok());
}

#[test]
fn unknown_words_of_a_status_mean_nothing() {
    assert_eq!(
        meaning("call.status", json!({"call_id": "c1", "status": "dreaming"})),
        None
    );
    let payload = json!({"call_id": "c1", "status": "failed", "audio_quality": "unknown",
        "network_stats": {"packet_loss": 7, "rtt": -1, "jitter": 3}});
    let Some(Signal::Report { report, .. }) = meaning("call.status", payload) else {
        panic!("a report")
    };
    assert_eq!((report.connected, report.audio_quality), (false, None));
    let network = report.network.expect("stats");
    assert_eq!(
        (network.packet_loss, network.rtt, network.jitter),
        (None, None, Some(3.0))
    );
}

#[test]
fn only_servers_say_answered_elsewhere() {
    assert_eq!(
        message_of(Signal::AnsweredElsewhere { call: call() }, &context()),
        None
    );
    let payload = json!({"call_id": "c1", "status": "answered"});
    assert_eq!(
        meaning("call.status", payload),
        Some(Signal::AnsweredElsewhere { call: call() })
    );
}
