//! Every example message of the ZLMediaKit signaling document, as printed and as valid JSON, through the reader and back.

use ahoy_signaling::zlm::wire::{Body, Message};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../tests/fixtures/zlm"
    ))
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixtures().join(name)).expect(name)
}

/// The names of all examples without their endings, so that a new file cannot be forgotten.
fn names(ending: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(fixtures()).expect("the fixtures");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
    names
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect()
}

#[test]
fn every_message_survives_reading_and_writing() {
    let names = names(".json");
    assert_eq!(names.len(), 10, "{names:?}");
    for name in names {
        let valid: Value = serde_json::from_str(&text(&format!("{name}.json"))).expect(&name);
        let message = Message::read(&valid.to_string()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            !matches!(message.body, Body::Other { .. }),
            "{name} is of a known kind"
        );
        assert!(message.extra.is_empty(), "{name}: {:?}", message.extra);
        assert_eq!(message.to_value(), valid, "{name}");
        let again: Value = serde_json::from_str(&message.to_text()).expect(&name);
        assert_eq!(again, valid, "{name} as text");
    }
}

#[test]
fn what_the_document_prints_is_read_as_it_is_meant_and_never_sent_so() {
    let printed = names(".raw.txt");
    assert_eq!(printed, names(".json"));
    let mut broken = 0;
    for name in printed {
        let raw = text(&format!("{name}.raw.txt"));
        let read = Message::read(&raw).unwrap_or_else(|error| panic!("{name}: {error}"));
        let meant = Message::read(&text(&format!("{name}.json"))).expect(&name);
        assert_eq!(read, meant, "{name}");
        broken += u32::from(Message::read_strictly(&raw).is_err());
        assert_eq!(Message::read_strictly(&read.to_text()), Ok(meant), "{name}");
    }
    assert_eq!(broken, 7, "the document's commas");
}

#[test]
fn unknown_fields_are_kept() {
    for name in names(".json") {
        let mut message: Value = serde_json::from_str(&text(&format!("{name}.json"))).expect(&name);
        message["sender"] = "room_1".into();
        message["x"] = serde_json::json!({"deep": [1, 2.5, null]});
        let read = Message::read(&message.to_string()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.to_value(), message, "{name}");
    }
}
