//! A server that says nonsense: the client goes on, and what comes after it is understood.

use crate::script::{Party1, ScriptedServer, offer};
use ahoy_client::{ClientEvent, Phase};
use serde_json::json;

/// Texts that are no messages, or messages of the wrong shape; every one under the limit of 256 KiB.
fn nonsense() -> Vec<String> {
    let deep = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let mut texts = vec![
        String::new(),
        "\u{0}".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"type":7}"#.to_owned(),
        r#"{"type":"call.offer"}"#.to_owned(),
        r#"{"type":"call.offer","payload":"x"}"#.to_owned(),
        r#"{"type":"welcome","payload":{"user_id":"1","features":7,"calls":"many"}}"#.to_owned(),
        r#"{"type":"presence","payload":{"user_id":-1,"is_online":"yes"}}"#.to_owned(),
        r#"{"type":"call.end","payload":{"call_id":"a b","reason":"x"}}"#.to_owned(),
        deep(100),
        deep(20_000),
        format!(r#"{{"type":"call.offer","payload":{}}}"#, deep(40)),
        "[".repeat(200_000),
        format!(r#"{{"type":"noise","payload":"{}"}}"#, "x".repeat(250_000)),
    ];
    for mut wrong in [offer("call_x", 2), offer("call_y", 2)] {
        wrong["payload"]["sdp"] = json!({"type": "offer", "sdp": 5});
        wrong["payload"]["ice_candidates"] = json!("none");
        texts.push(wrong.to_string());
    }
    texts
}

#[tokio::test]
async fn nonsense_is_skipped_and_the_next_call_rings() {
    let mut server = ScriptedServer::start().await;
    let mut ann = Party1::with_token(&server);
    let mut socket = server.welcomed().await;
    ann.signed_in().await;
    for text in nonsense() {
        socket.say_text(text).await;
    }
    // A flood of people costs bounded memory and no call.
    for id in 2..2000 {
        socket
            .say(json!({"type": "presence", "payload": {"user_id": id, "is_online": true}}))
            .await;
    }
    socket.say(offer("call_1", 2)).await;
    let call = ann
        .event("ringing", |event| match event {
            ClientEvent::Incoming { call, .. } => Some(call.as_str().to_owned()),
            ClientEvent::ServerLost { problem, .. } => panic!("{problem:?}"),
            _ => None,
        })
        .await;
    assert_eq!(call, "call_1");
    ann.client.stop().await;
}

#[tokio::test]
async fn a_message_over_the_limit_costs_the_connection_and_nothing_else() {
    let mut server = ScriptedServer::start().await;
    let mut ann = Party1::with_token(&server);
    let mut socket = server.welcomed().await;
    ann.signed_in().await;
    socket.say_text(" ".repeat(600 * 1024)).await;
    let code = ann
        .event("the loss", |event| match event {
            ClientEvent::ServerLost { problem, .. } => Some(problem.code),
            _ => None,
        })
        .await;
    assert_eq!(code, "not_understood");
    let _again = server.welcomed().await;
    ann.signed_in().await;
    ann.shows("ready", |snapshot| snapshot.server.phase == Phase::Ready)
        .await;
    ann.client.stop().await;
}
