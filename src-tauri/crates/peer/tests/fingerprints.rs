//! Who the other side is: the certificate behind the fingerprint, and the code that people compare.

mod support;

use ahoy_call::CallId;
use ahoy_peer::{PeerEvent, TransportState};
use support::{AUDIO, Party, connect, join};

fn call() -> CallId {
    CallId::new("call_0123456789").expect("a call id")
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_of_a_connection_read_the_same_code() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    assert_eq!(a.peer.check_code(&call()).await, None, "there is nobody yet");
    connect(&mut a, &mut b, AUDIO).await;
    let code = a.peer.check_code(&call()).await.expect("both are described");
    assert_eq!(b.peer.check_code(&call()).await, Some(code.clone()));
    assert_eq!(code.len(), 35);
    let other_call = CallId::new("call_9876543210").expect("a call id");
    assert_ne!(a.peer.check_code(&other_call).await, Some(code));
}

/// GOALS S9: a certificate that is not the announced one never carries a call, and who swaps both announcements is heard.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_fingerprint_never_connects_and_shows_in_the_codes() {
    let (mut a, mut b) = (Party::new().await, Party::new().await);
    join(&mut a, &mut b);
    let offer = a.peer.create_offer(AUDIO).await.expect("an offer");
    let answer = b.peer.create_answer(&offer, true).await.expect("an answer");
    a.peer
        .set_answer(&with_another_fingerprint(&answer))
        .await
        .expect("it reads like any other");
    // The certificate is refused, and the connection given up.
    a.told(&PeerEvent::State(TransportState::Disconnected)).await;
    assert_eq!(a.count(&PeerEvent::State(TransportState::Connected)), 0);
    assert_ne!(a.peer.check_code(&call()).await, b.peer.check_code(&call()).await);
}

/// The description with the first two digits of each fingerprint exchanged for others.
fn with_another_fingerprint(sdp: &str) -> String {
    let line = |line: &str| match line.strip_prefix("a=fingerprint:sha-256 ") {
        Some(digits) if digits.starts_with("00") => format!("a=fingerprint:sha-256 FF{}", &digits[2..]),
        Some(digits) => format!("a=fingerprint:sha-256 00{}", &digits[2..]),
        None => line.to_owned(),
    };
    sdp.split_inclusive('\n').map(line).collect()
}
