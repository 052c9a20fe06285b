//! Whatever bytes come, the relay neither panics nor makes an allocation; and a flood over real sockets.

mod support;

use ahoy_turn::fuzz::hear_anything;
use proptest::prelude::*;
use rtc_stun::attributes::ATTR_XORMAPPED_ADDRESS;
use std::time::Duration;
use support::bench::{Bench, client};
use support::stun::{Answer, METHOD_ALLOCATE, METHOD_BINDING, unsigned};
use support::{Echo, has, server};
use tokio::net::UdpSocket;

/// Something that begins like STUN: known methods, and attributes that nearly fit.
fn nearly_stun() -> impl Strategy<Value = Vec<u8>> {
    let attribute = (any::<u8>(), 0u16..64, prop::collection::vec(any::<u8>(), 0..64));
    (
        0u8..2,
        any::<u8>(),
        prop::collection::vec(attribute, 0..8),
        -4i32..8,
    )
        .prop_map(|(high, low, attributes, wrong_by)| {
            let mut bytes = vec![high, low, 0, 0, 0x21, 0x12, 0xA4, 0x42];
            bytes.extend_from_slice(&[9; 12]);
            for (kind, length, value) in attributes {
                bytes.extend_from_slice(&[0, kind & 0x3F]);
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(&value);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            let length = (bytes.len() as i32 - 20 + wrong_by).max(0) as u16;
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            bytes
        })
}

proptest! {
    #[test]
    fn any_bytes_are_heard_without_a_panic(input in prop::collection::vec(any::<u8>(), 0..2000)) {
        hear_anything(&input);
    }

    #[test]
    fn what_nearly_is_stun_is_heard_without_a_panic_and_opens_nothing(
        messages in prop::collection::vec(nearly_stun(), 1..20),
    ) {
        let mut bench = Bench::new();
        for message in &messages {
            bench.hear(client(1), message);
        }
        prop_assert!(bench.open.is_empty());
        hear_anything(&messages.concat());
    }

    #[test]
    fn a_request_that_was_damaged_on_its_way_opens_nothing(at in 0usize..400, with in 1u8..=255) {
        let mut bench = Bench::new();
        let account = bench.known("7", client(1));
        let mut request = account.request(METHOD_ALLOCATE, &[(rtc_stun::attributes::ATTR_REQUESTED_TRANSPORT, &[17, 0, 0, 0])], &[]);
        let at = at % request.len();
        request[at] ^= with;
        bench.hear(client(1), &request);
        prop_assert!(bench.open.is_empty(), "byte {at}");
    }
}

/// Bytes of memory of this process (Linux).
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|kilobytes| kilobytes * 1024)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_over_loopback_is_dropped_memory_stays_flat_and_a_call_goes_on() {
    let server = server().await;
    let address = server.address();
    let before = memory();
    let calling = tokio::spawn(async move {
        if !has("turnutils_uclient") {
            return 0;
        }
        let echo = Echo::start().await;
        let port = echo.address.port().to_string();
        // From an address of its own: what one source asks does not count for another.
        let call = [
            "-L",
            "127.0.0.2",
            "-c",
            "-m",
            "1",
            "-n",
            "100",
            "-z",
            "20",
            "-e",
            "127.0.0.1",
            "-r",
            &port,
        ];
        support::uclient_loses(address, &call).await
    });
    let flooder = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let question = unsigned(METHOD_BINDING, &[]);
    let began = std::time::Instant::now();
    let mut answers = 0u64;
    let mut answer = [0; 1500];
    let mut pace = tokio::time::interval(Duration::from_millis(1));
    // 30 000 a second for as long as the call lasts.
    let mut sent = 0;
    while sent < 100_000 || !calling.is_finished() {
        pace.tick().await;
        for _ in 0..30 {
            // What the system does not take is lost, as in any flood.
            flooder.try_send_to(&question, address).ok();
            sent += 1;
        }
        while let Ok(length) = flooder.try_recv(&mut answer) {
            assert!(length <= 3 * question.len());
            answers += 1;
        }
    }
    let stats = server.stats();
    assert!(stats.over_rate > 10_000, "{stats:?}");
    let seconds = began.elapsed().as_secs() + 2;
    assert!(answers <= 50 * seconds, "{answers} answers in {seconds} s");
    // The flood and the call come by one socket, whose buffer a busy machine may let overflow.
    let lost = calling.await.expect("the call ends");
    assert!(lost <= 3, "{lost} of 100 lost");
    if let (Some(before), Some(after)) = (before, memory()) {
        assert!(after < before + 32 * 1024 * 1024, "{before} bytes became {after}");
    }
    // A second later the source is answered again.
    let bound = async {
        loop {
            flooder.send_to(&question, address).await.expect("it is sent");
            let came = tokio::time::timeout(Duration::from_millis(200), flooder.recv(&mut answer)).await;
            if let Ok(Ok(length)) = came {
                return Answer::read(&answer[..length]).address(ATTR_XORMAPPED_ADDRESS);
            }
        }
    };
    let bound = tokio::time::timeout(Duration::from_secs(20), bound)
        .await
        .expect("an answer");
    assert_eq!(bound, flooder.local_addr().expect("bound"));
}
