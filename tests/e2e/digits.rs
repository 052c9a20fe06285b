//! Keys of a telephone pressed in a call.

use ahoy_tests::{Party, TestServer, serial};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);
const MEDIA: [&str; 4] = ["--mic", "tone:440", "--speaker", "probe"];

fn heard(party: &mut Party, digits: &str) {
    for digit in digits.chars() {
        let event = party.wait_for("a digit", |event| event["event"] == "dtmf");
        assert_eq!(event["digit"], digit.to_string());
    }
}

#[test]
fn digits_arrive_once_and_in_order_beside_every_codec_and_the_voice_goes_on() {
    let _turn = serial();
    for codec in ["opus", "pcmu"] {
        let server = TestServer::start();
        let mut listener = Party::listen(&server, 2, &MEDIA);
        let mut dialler = Party::call(&server, 1, 2, &[&MEDIA[..], &["--codec", codec]].concat());
        for party in [&mut dialler, &mut listener] {
            party.wait_for("the call to be up", |event| event["state"] == "connected");
        }
        dialler.write_line("dtmf 12");
        dialler.write_line("dtmf #d2");
        heard(&mut listener, "12#D2");
        listener.write_line("dtmf 0*");
        heard(&mut dialler, "0*");
        listener.wait_for("a clear tone afterwards", |event| {
            event["event"] == "probe" && event["tone_db"].as_f64().is_some_and(|tone| tone > 25.0)
        });
        dialler.write_line("hangup");
        dialler.wait_for_end(LIMIT);
        listener.wait_for_end(LIMIT);
    }
}
