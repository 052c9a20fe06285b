//! Servers that can do less (IM-Suite §13): basic mode, and such as send calls back.

use crate::script::{Party1, ScriptedServer, user};
use ahoy_call::EndCause;
use ahoy_client::{ClientEvent, Command, EndedCall};
use serde_json::json;

async fn ended(party: &mut Party1) -> EndedCall {
    party
        .event("the end", |event| match event {
            ClientEvent::Ended(ended) => Some(ended.clone()),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_server_that_introduces_itself_not_at_all_is_used_in_basic_mode() {
    let mut server = ScriptedServer::start().await;
    let mut ann = Party1::with_token(&server);
    let mut socket = server.socket().await;
    ann.signed_in().await;
    let snapshot = ann
        .shows("basic mode", |snapshot| snapshot.server.basic_mode)
        .await;
    assert!(snapshot.notices.iter().any(|notice| notice.code == "basic_mode"));
    let call = Command::PlaceCall {
        to: user(2),
        video: false,
        stream: None,
    };
    ann.client.command(call).await.expect("accepted");
    let offer = socket.hear("call.offer").await;
    assert_eq!(offer["payload"]["to_user"], 2);
    assert!(offer["payload"].get("negotiation").is_none(), "{offer}");
    // Another client's message on a server that sends everything to everybody, and this one's own.
    let call_id = offer["payload"]["call_id"].clone();
    let end = |from: u64, to: u64| json!({"type": "call.end", "payload": {"call_id": call_id, "from_user": from, "to_user": to, "reason": "user_busy"}});
    socket.say(end(2, 9)).await;
    socket.say(end(1, 2)).await;
    // §13: `data` for `payload`, `from_user_id` for `from_user`.
    let lenient = json!({"type": "call.end", "data": {"call_id": call_id, "from_user_id": 2, "reason": "user_rejected"}});
    socket.say(lenient).await;
    assert_eq!(ended(&mut ann).await.end.cause, EndCause::Declined);
    ann.client.stop().await;
}

#[tokio::test]
async fn a_server_that_sends_calls_back_cannot_do_calls() {
    let mut server = ScriptedServer::start().await;
    let mut ann = Party1::with_token(&server);
    let mut socket = server.socket().await;
    ann.signed_in().await;
    let call = Command::PlaceCall {
        to: user(2),
        video: false,
        stream: None,
    };
    ann.client.command(call).await.expect("accepted");
    let offer = socket.hear("call.offer").await;
    socket.say(json!({"type": "echo", "data": offer})).await;
    let ended = ended(&mut ann).await;
    assert_eq!(ended.end.cause, EndCause::CallsUnsupported);
    assert_eq!(ended.end.reason.as_str(), "server_error");
    ann.client.stop().await;
}

#[tokio::test]
async fn a_user_named_by_nobody_is_asked_for() {
    let mut server = ScriptedServer::start().await;
    server.answer(
        "GET /api/users/me",
        200,
        json!({"data": {"id": 5, "username": "ann"}}),
    );
    let credentials = ahoy_client::Credentials::Token(ahoy_signaling::Secret::new("opaque"));
    let mut ann = Party1::start(&server.url, credentials);
    let _socket = server.socket().await;
    let me = ann
        .event("sign-in", |event| match event {
            ClientEvent::SignedIn { me } => Some(me.clone()),
            _ => None,
        })
        .await;
    assert_eq!(me, user(5));
    ann.client.stop().await;
}
