//! Calls that the server or others end, refuse or take elsewhere, as the client sees them.

use crate::script::{Party1, ScriptedServer, Socket, offer, user};
use ahoy_call::EndCause;
use ahoy_client::{ClientEvent, Command, EndedCall};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn signed_in(server: &mut ScriptedServer) -> (Party1, Socket) {
    let mut ann = Party1::with_token(server);
    let socket = server.welcomed().await;
    ann.signed_in().await;
    (ann, socket)
}

async fn ended(party: &mut Party1) -> EndedCall {
    party
        .event("the end", |event| match event {
            ClientEvent::Ended(ended) => Some(ended.clone()),
            _ => None,
        })
        .await
}

async fn rings(party: &mut Party1) -> String {
    party
        .event("ringing", |event| match event {
            ClientEvent::Incoming { call, .. } => Some(call.as_str().to_owned()),
            _ => None,
        })
        .await
}

fn status(call: &str, word: &str) -> Value {
    json!({"type": "call.status", "payload": {"call_id": call, "status": word, "from_user": 2, "to_user": 1}})
}

fn end(call: &str, from: u64) -> Value {
    json!({"type": "call.end", "payload": {"call_id": call, "from_user": from, "to_user": 1, "reason": "user_hangup"}})
}

#[tokio::test]
async fn a_call_answered_on_another_device_stops_ringing_here_at_once() {
    let mut server = ScriptedServer::start().await;
    let (mut ann, mut socket) = signed_in(&mut server).await;
    socket.say(offer("call_1", 2)).await;
    assert_eq!(rings(&mut ann).await, "call_1");
    socket.hear("call.status").await;
    let told = Instant::now();
    socket.say(status("call_1", "answered")).await;
    let ended = ended(&mut ann).await;
    assert_eq!(ended.end.cause, EndCause::AnsweredElsewhere);
    assert!(
        told.elapsed() < Duration::from_millis(200),
        "{:?}",
        told.elapsed()
    );
    ann.client.stop().await;
}

#[tokio::test]
async fn a_call_taken_elsewhere_while_this_device_was_away_says_so_when_it_is_back() {
    let mut server = ScriptedServer::start().await;
    let (mut ann, mut socket) = signed_in(&mut server).await;
    let later = ahoy_signaling::Timestamp::now().to_string();
    server.answer(
        "GET /api/calls",
        200,
        json!({"data": [
            {"call_id": "call_1", "from_user": 2, "to_user": 1, "call_type": "audio", "status": "answered",
             "started_at": later, "duration": 0},
        ]}),
    );
    socket.close(1012).await;
    let _socket = server.welcomed().await;
    ann.signed_in().await;
    let snapshot = ann
        .shows("the call", |snapshot| !snapshot.recent.is_empty())
        .await;
    assert_eq!(snapshot.recent[0].ended.end.cause, EndCause::AnsweredElsewhere);
    ann.client.stop().await;
}

#[tokio::test]
async fn strangers_the_stale_and_the_late_do_not_touch_a_ringing_call() {
    let mut server = ScriptedServer::start().await;
    let (mut ann, mut socket) = signed_in(&mut server).await;
    // A candidate before its offer, an offer that has expired, the end of nothing.
    let candidate = json!({"type": "call.ice", "payload": {"call_id": "call_1", "from_user": 2, "to_user": 1,
        "ice_candidate": {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0}}});
    socket.say(candidate).await;
    let mut aged = offer("call_old", 2);
    aged["payload"]["expires_in"] = json!(0);
    socket.say(aged).await;
    socket.say(end("call_gone", 2)).await;
    socket.say(offer("call_1", 2)).await;
    assert_eq!(rings(&mut ann).await, "call_1", "the expired offer never rang");
    // Somebody else ends it, and somebody ends another one.
    socket.say(end("call_1", 3)).await;
    socket.say(end("call_2", 2)).await;
    socket.say(status("call_2", "answered")).await;
    // The own party's word counts, so everything before it was read and did nothing.
    socket.say(end("call_1", 2)).await;
    let ended = ended(&mut ann).await;
    assert_eq!(
        (ended.call.as_str(), ended.end.cause),
        ("call_1", EndCause::Missed)
    );
    // An offer after its hang-up rings no second time; a new one does.
    socket.say(offer("call_1", 2)).await;
    socket.say(offer("call_3", 2)).await;
    assert_eq!(rings(&mut ann).await, "call_3");
    ann.client.stop().await;
}

#[tokio::test]
async fn a_second_caller_is_told_busy_and_the_first_goes_on_ringing() {
    let mut server = ScriptedServer::start().await;
    let (mut ann, mut socket) = signed_in(&mut server).await;
    socket.say(offer("call_1", 2)).await;
    rings(&mut ann).await;
    socket.say(offer("call_2", 3)).await;
    let busy = socket.hear("call.end").await;
    assert_eq!(busy["payload"]["call_id"], "call_2");
    assert_eq!(busy["payload"]["reason"], "user_busy");
    ann.shows("the first call", |snapshot| {
        snapshot
            .call
            .as_ref()
            .is_some_and(|call| call.call.as_str() == "call_1")
    })
    .await;
    ann.client.stop().await;
}

#[tokio::test]
async fn refusals_end_the_call_with_their_own_cause_and_time() {
    let mut server = ScriptedServer::start().await;
    let (mut ann, mut socket) = signed_in(&mut server).await;
    for (code, cause) in [
        ("rate_limited", EndCause::RateLimited),
        ("not_permitted", EndCause::NotPermitted),
        ("user_offline", EndCause::NotReachable),
    ] {
        let call = Command::PlaceCall {
            to: user(2),
            video: false,
            stream: None,
        };
        ann.client.command(call).await.expect("accepted");
        let offer = socket.hear("call.offer").await;
        let mut details = json!({"code": code, "fatal": true});
        if code == "rate_limited" {
            details["retry_after_ms"] = json!(42_000);
        }
        socket
            .say(
                json!({"type": "call.error", "payload": {"call_id": offer["payload"]["call_id"],
                "error_code": "SIGNALING_ERROR", "details": details}}),
            )
            .await;
        let ended = ended(&mut ann).await;
        assert_eq!(ended.end.cause, cause, "{code}");
        let wait = (code == "rate_limited").then(|| Duration::from_secs(42));
        assert_eq!(ended.retry_after, wait, "{code}");
    }
    ann.client.stop().await;
}

#[tokio::test]
async fn the_servers_relays_are_asked_for_at_the_sign_in_and_not_again_for_each_call() {
    let mut server = ScriptedServer::start().await;
    let config = json!({"data": {"ttl": 3600, "ice_servers": [
        {"urls": ["turn:127.0.0.1:9?transport=udp"], "username": "9:1", "credential": "c"}]}});
    server.answer("GET /api/webrtc/config", 200, config);
    let (mut ann, mut socket) = signed_in(&mut server).await;
    for _ in 0..2 {
        let call = Command::PlaceCall {
            to: user(2),
            video: false,
            stream: None,
        };
        ann.client.command(call).await.expect("accepted");
        socket.hear("call.offer").await;
        ann.client.command(Command::HangUp).await.expect("accepted");
        assert_eq!(ended(&mut ann).await.end.cause, EndCause::Cancelled);
    }
    let asked = server.asked();
    let count = asked.iter().filter(|line| line.contains("webrtc/config")).count();
    assert_eq!(count, 1, "{asked:?}");
    ann.client.stop().await;
}
