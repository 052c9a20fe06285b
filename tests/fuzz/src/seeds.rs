//! What the fuzzers start from: the example messages of the specification, alone and as whole calls, and the STUN messages
//! that a client begins with.

use ahoy_signaling::im_suite::encoding::{Encoding, Frame};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Writes the seeds of a target into the folder that `AHOY_FUZZ_SEEDS` names; a fuzzer runs without them, too.
pub fn write_seeds(target: &str) {
    let Some(folder) = std::env::var_os("AHOY_FUZZ_SEEDS").map(PathBuf::from) else {
        return;
    };
    for (name, bytes) in seeds(target) {
        fs::write(folder.join(name), bytes).expect("the folder of seeds takes files");
    }
}

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        "json" => json(),
        "rooms" => rooms(),
        "cbor" => cbor(),
        _ => stun(),
    }
}

fn json() -> Vec<(String, Vec<u8>)> {
    let messages = fixtures();
    let line = |seat: char, name: &str| {
        let text = messages.iter().find(|(known, _)| known == name);
        format!("{seat}{}\n", text.expect("a fixture").1)
    };
    // The first character of a line is the connection: '0' of user 1, '1' of user 2.
    let ring = line('0', "call.offer");
    let call = ring.clone() + &line('1', "call.answer");
    let sequences = [
        ("ping", "0{\"type\":\"ping\"}\n".to_owned()),
        ("cancelled", ring.clone() + &line('0', "call.end")),
        ("declined", ring.clone() + &line('1', "call.end")),
        (
            "call",
            call.clone() + &line('0', "call.ice") + &line('1', "call.status") + &line('0', "call.end"),
        ),
        ("resume", format!("{call}8\n{}", line('1', "call.ice"))),
        ("expired", format!("{ring}<\n<\n")),
        ("lost", format!("{call}{}", line('0', "call.error.network"))),
    ];
    let sequences = sequences.map(|(name, sequence)| (name.to_owned(), sequence.into_bytes()));
    let alone = messages
        .iter()
        .map(|(name, text)| (name.clone(), format!("0{text}").into_bytes()));
    sequences.into_iter().chain(alone).collect()
}

fn cbor() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, text) in fixtures() {
        for (choice, encoding) in [(0, Encoding::Cbor), (1, Encoding::CborZ)] {
            if let Ok(Frame::Binary(bytes)) = encoding.encode(text.clone()) {
                seeds.push((format!("{name}.{choice}"), [&[choice][..], &bytes].concat()));
            }
        }
    }
    seeds
}

fn stun() -> Vec<(String, Vec<u8>)> {
    let behind_length = |message: &Vec<u8>| {
        let length = u16::try_from(message.len()).expect("short").to_be_bytes();
        [&[0][..], &length, message].concat()
    };
    stun_messages()
        .into_iter()
        .map(|(name, messages)| (name.to_owned(), messages.iter().flat_map(behind_length).collect()))
        .collect()
}

/// Messages of rooms as they are and as the document prints them, and calls of them. The first character of a step is
/// the socket: '0' is the room of the examples, '1' and '2' are others.
fn rooms() -> Vec<(String, Vec<u8>)> {
    let files = texts("zlm", &["json", "txt"]);
    let step = |seat: char, name: &str| {
        let text = files.iter().find(|(known, _)| known == name);
        format!("{seat}{}\0", text.expect("a fixture").1)
    };
    let ring = step('1', "call.request");
    let call = ring.clone() + &step('0', "call.accept") + &step('1', "candidate.indication");
    let printed = step('1', "call.request.raw") + &step('0', "call.accept.raw");
    let sequences = [
        ("ended", call.clone() + &step('0', "bye.indication")),
        ("lost", format!("{call}8\0")),
        ("own", format!("{}9\0", step('0', "call.request"))),
        ("printed", printed + &step('1', "bye.indication.raw")),
        ("listed", format!("{}<\0", step('3', "register.request"))),
    ];
    let sequences = sequences.map(|(name, sequence)| (name.to_owned(), sequence.into_bytes()));
    let alone = files
        .iter()
        .map(|(name, text)| (name.clone(), format!("0{text}").into_bytes()));
    sequences.into_iter().chain(alone).collect()
}

/// Names and compact texts of all example messages.
fn fixtures() -> Vec<(String, String)> {
    let compact = |(name, text): (String, String)| {
        let value: Value = serde_json::from_str(&text).expect("JSON");
        (name, value.to_string())
    };
    texts("im_suite", &["json"]).into_iter().map(compact).collect()
}

/// Names and texts of the files with these endings in a folder of fixtures.
fn texts(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures")).join(folder);
    let files = fs::read_dir(folder).expect("the fixtures");
    let paths = files.map(|file| file.expect("a file").path());
    paths
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| endings.iter().any(|known| ending == *known))
        })
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a fixture");
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, text)
        })
        .collect()
}

/// Binding, Allocate without and with an unknown user, and ChannelData (RFC 8489 §5, RFC 8656 §7 and §12).
fn stun_messages() -> [(&'static str, Vec<Vec<u8>>); 4] {
    const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    let message = |kind: u16, attributes: &[u8]| {
        let length = u16::try_from(attributes.len()).expect("short");
        [
            &kind.to_be_bytes()[..],
            &length.to_be_bytes(),
            &COOKIE,
            b"transaction!",
            attributes,
        ]
        .concat()
    };
    // REQUESTED-TRANSPORT: UDP.
    let udp = [0x00, 0x19, 0, 4, 17, 0, 0, 0];
    // USERNAME, REALM, NONCE and a MESSAGE-INTEGRITY that is wrong.
    let user = [
        &[0x00, 0x06, 0, 6][..],
        b"9999:1\0\0",
        &[0x00, 0x14, 0, 4],
        b"ahoy",
        &[0x00, 0x15, 0, 4],
        b"once",
        &[0x00, 0x08, 0, 20],
        &[0; 20],
    ]
    .concat();
    [
        ("binding", vec![message(0x0001, &[])]),
        (
            "allocate",
            vec![
                message(0x0003, &udp),
                message(0x0003, &[&udp[..], &user].concat()),
            ],
        ),
        ("refresh", vec![message(0x0004, &[0x00, 0x0d, 0, 4, 0, 0, 0, 0])]),
        ("channel", vec![vec![0x40, 0x00, 0, 4, 1, 2, 3, 4]]),
    ]
}
