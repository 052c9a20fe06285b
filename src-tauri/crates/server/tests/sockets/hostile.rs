//! Frames that break RFC 6455, and floods: the connection that sends them is closed with the right code, and others do not
//! notice.

use crate::support::{Client, server};
use ahoy_signaling::im_suite::encoding::{Encoding, MESSAGE_LIMIT};
use futures_util::SinkExt;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::Message;

/// RFC 6455 §5.2, first byte: final fragment, and the operations.
const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const PING: u8 = 0x9;

/// A masked frame; the mask of zeros leaves the payload as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

impl Client {
    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let MaybeTlsStream::Plain(stream) = self.socket.get_mut() else {
            panic!("the connection is not encrypted");
        };
        stream.write_all(bytes).await
    }
}

#[tokio::test]
async fn each_broken_frame_has_its_close_code_and_others_are_served_on() {
    let server = server().await;
    let mut bystander = Client::with(&server, 2, Encoding::Json).await;
    let unmasked = [FIN | TEXT, 2, b'{', b'}'];
    let announced = [
        &[FIN | TEXT, 0x80 | 127][..],
        &(2_u64 << 20).to_be_bytes(),
        &[0; 4],
    ]
    .concat();
    let half = vec![b'x'; 3 * MESSAGE_LIMIT];
    let too_many_fragments = [frame(TEXT, &half), frame(CONTINUATION, &half)].concat();
    let broken_in_two = [frame(TEXT, &[0xc3]), frame(FIN | CONTINUATION, &[0x28])].concat();
    let interleaved = [frame(TEXT, b"{"), frame(FIN | TEXT, b"{}")].concat();
    for (bytes, code, what) in [
        (frame(FIN | TEXT, &[0xff, 0xfe]), 1007, "text that is not UTF-8"),
        (broken_in_two, 1007, "text that is not UTF-8 across fragments"),
        (
            frame(FIN | 0x40 | TEXT, b"{}"),
            1002,
            "the first reserved bit, as of compression",
        ),
        (frame(FIN | 0x20 | TEXT, b"{}"), 1002, "the second reserved bit"),
        (frame(FIN | 0x10 | BINARY, b"{}"), 1002, "the third reserved bit"),
        (unmasked.to_vec(), 1002, "a frame without a mask"),
        (frame(FIN | 0x3, b""), 1002, "a reserved operation"),
        (frame(FIN | 0xb, b""), 1002, "a reserved control operation"),
        (frame(PING, b""), 1002, "a ping in fragments"),
        (
            frame(FIN | PING, &[0; 126]),
            1002,
            "a ping of more than 125 bytes",
        ),
        (
            frame(FIN | CONTINUATION, b"{}"),
            1002,
            "a continuation of nothing",
        ),
        (interleaved, 1002, "a message within another"),
        (
            frame(FIN | TEXT, &vec![b'x'; MESSAGE_LIMIT + 1]),
            1009,
            "a message one byte over the limit",
        ),
        (announced, 1009, "a frame of 2 MiB that never comes"),
        (too_many_fragments, 1009, "fragments that add up"),
    ] {
        let mut client = Client::with(&server, 1, Encoding::Json).await;
        client.write(&bytes).await.unwrap();
        assert_eq!(client.close_code().await, code, "{what}");
        bystander.is_served().await;
    }
}

#[tokio::test]
async fn a_flood_of_fragments_ends_at_the_limit_and_holds_nobody_up() {
    let server = server().await;
    let mut bystander = Client::with(&server, 2, Encoding::Json).await;
    let mut client = Client::with(&server, 1, Encoding::Json).await;
    client.write(&frame(TEXT, b"")).await.unwrap();
    // Empty fragments add nothing to hold; one byte each comes to the limit at last.
    for payload in [&b""[..], b"x"] {
        let some = frame(CONTINUATION, payload).repeat(4096);
        for _ in 0..64 {
            client.write(&some).await.unwrap();
            bystander.is_served_without_counting().await;
        }
    }
    // The server stops reading at its limit, so the rest may find the connection closed.
    let rest = frame(CONTINUATION, &vec![b'x'; 64 * 1024]);
    for _ in 0..64 {
        if client.write(&rest).await.is_err() {
            break;
        }
    }
    assert_eq!(client.close_code().await, 1009);
}

impl Client {
    /// Shows that the server lives, by a frame that no rate counts as a message.
    async fn is_served_without_counting(&mut self) {
        self.socket.send(Message::Ping(Default::default())).await.unwrap();
        while !self.next().await.is_pong() {}
    }
}

#[tokio::test]
async fn a_flood_of_pings_is_closed_with_4429() {
    let server = server().await;
    let mut bystander = Client::with(&server, 2, Encoding::Json).await;
    let mut client = Client::with(&server, 1, Encoding::Json).await;
    let begun = std::time::Instant::now();
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
    let code = loop {
        tokio::select! {
            _ = ticks.tick() => {
                client.write(&frame(FIN | PING, b"")).await.unwrap();
                client.write(&frame(FIN | PING, b"")).await.unwrap();
            }
            message = client.next() => match message {
                Message::Close(frame) => break u16::from(frame.unwrap().code),
                // Answers, and that the bystander is there.
                Message::Pong(_) | Message::Text(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(code, 4429);
    // 100 per second use the burst up in 2.5 s, and 10 s are forgiven.
    assert!(begun.elapsed().as_secs() >= 10, "{:?}", begun.elapsed());
    bystander.is_served().await;
}
