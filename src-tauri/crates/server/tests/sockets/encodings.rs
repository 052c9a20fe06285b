use crate::support::{Client, fixture, server};
use ahoy_signaling::im_suite::encoding::{Encoding, MESSAGE_LIMIT};
use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn the_order_of_the_client_decides_and_none_is_json() {
    let server = server().await;
    let both = "im-suite.v1.cbor.z, im-suite.v1.json";
    for (offered, encoding) in [
        (Some(both), Encoding::CborZ),
        (
            Some("im-suite.v1.json, im-suite.v1.cbor, im-suite.v1.cbor.z"),
            Encoding::Json,
        ),
        (
            Some("im-suite.v9.cbor, im-suite.v1.cbor, im-suite.v1.json"),
            Encoding::Cbor,
        ),
        (None, Encoding::Json),
    ] {
        let mut client = Client::connect(&server, 1, offered).await;
        assert_eq!(client.encoding, encoding, "{offered:?}");
        client.is_served().await;
    }
}

#[tokio::test]
async fn peers_of_all_encodings_call_each_other() {
    let mut calls = 0;
    for callers in Encoding::ALL {
        for callees in Encoding::ALL {
            let server = server().await;
            let mut ada = Client::with(&server, 1, callers).await;
            let mut ben = Client::with(&server, 2, callees).await;
            let named = |name: &str| {
                let mut message = fixture(name);
                message["payload"]["x_unknown"] = json!({"kept": [1, -2, 0.5, null, "é", {}]});
                message
            };
            let (offer, answer) = (named("call.offer"), named("call.answer"));
            ada.send(&offer).await;
            assert_delivered(&ben.next_of("call.offer").await, &offer);
            ben.send(&answer).await;
            assert_delivered(&ada.next_of("call.answer").await, &answer);
            ada.send(&named("call.ice")).await;
            assert_delivered(&ben.next_of("call.ice").await, &named("call.ice"));
            ben.send(
                &json!({"type": "call.end", "timestamp": offer["timestamp"], "payload": {
                    "call_id": offer["payload"]["call_id"], "reason": "user_hangup",
                }}),
            )
            .await;
            assert_eq!(ada.next_of("call.end").await["payload"]["reason"], "user_hangup");
            calls += 1;
        }
    }
    assert_eq!(calls, 9);
}

/// All that the server does not own is as it was sent (IM-Suite §3).
#[track_caller]
fn assert_delivered(received: &Value, sent: &Value) {
    const OWNED: [&str; 2] = ["created_at", "answered_at"];
    for (key, value) in sent["payload"].as_object().unwrap() {
        if !OWNED.contains(&key.as_str()) {
            assert_eq!(&received["payload"][key], value, "{key}");
        }
    }
}

#[tokio::test]
async fn a_frame_of_the_wrong_kind_is_closed_with_1003() {
    let server = server().await;
    for encoding in Encoding::ALL {
        let mut client = Client::with(&server, 1, encoding).await;
        let message = match encoding {
            Encoding::Json => Message::binary(vec![0xa0]),
            Encoding::Cbor | Encoding::CborZ => Message::text("{}"),
        };
        client.socket.send(message).await.unwrap();
        assert_eq!(client.close_code().await, 1003, "{encoding:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_closed_with_1007() {
    let server = server().await;
    for (encoding, bytes) in [
        (Encoding::Cbor, &[0x01][..]),
        (Encoding::Cbor, &[0xa1, 0x61, b'a', 0x41, 0]),
        (Encoding::CborZ, &[]),
        (Encoding::CborZ, &[0, 0xff]),
        (Encoding::CborZ, &[1, 0xff]),
        (Encoding::CborZ, &[2, 0xa0]),
    ] {
        let mut client = Client::with(&server, 1, encoding).await;
        client.socket.send(Message::binary(bytes.to_vec())).await.unwrap();
        assert_eq!(client.close_code().await, 1007, "{encoding:?} {bytes:?}");
    }
}

#[tokio::test]
async fn the_largest_message_of_each_encoding_is_taken_and_a_larger_one_is_not() {
    let server = server().await;
    for encoding in Encoding::ALL {
        let mut client = Client::with(&server, 1, encoding).await;
        let around = json!({"type": "ping", "x": ""}).to_string().len();
        let largest = json!({"type": "ping", "x": "y".repeat(MESSAGE_LIMIT - around)});
        client.send(&largest).await;
        client.next_of("pong").await;
        let too_big = match encoding {
            Encoding::Json => Message::text(format!("{largest} ")),
            Encoding::Cbor => Message::binary(vec![0xa0; MESSAGE_LIMIT + 1]),
            // Nearly all of it stored blocks (RFC 1951 §3.2.4): small steps that add up.
            Encoding::CborZ => {
                let block = [&[0, 0xff, 0xff, 0, 0][..], &[0; 0xffff]].concat();
                Message::binary([&[1][..], &block.repeat(5)].concat())
            }
        };
        client.socket.send(too_big).await.unwrap();
        assert_eq!(client.close_code().await, 1009, "{encoding:?}");
    }
}

#[tokio::test]
async fn a_message_deeper_than_sixteen_is_answered_alike_in_every_encoding() {
    let server = server().await;
    for encoding in Encoding::ALL {
        let mut client = Client::with(&server, 1, encoding).await;
        let mut deep = json!({});
        for _ in 0..20 {
            deep = json!({ "x": deep });
        }
        client.send(&json!({"type": "call.ice", "payload": deep})).await;
        let error = client.next_of("call.error").await;
        assert_eq!(error["payload"]["details"]["code"], "bad_message", "{encoding:?}");
        client.is_served().await;
    }
}
