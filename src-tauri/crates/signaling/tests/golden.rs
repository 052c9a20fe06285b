//! Every example message of the IM-Suite specification, through the reader and back.

use ahoy_signaling::im_suite::wire::{Constraints, Envelope, MediaWish, Message};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../tests/fixtures/im_suite"
    ))
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixtures().join(name)).expect(name)
}

fn value(name: &str) -> Value {
    serde_json::from_str(&text(name)).expect(name)
}

/// The names of all fixtures that start with `prefix`, so that a new file cannot be forgotten.
fn names(prefix: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(fixtures()).expect("the fixtures");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
    names
        .filter(|name| name.starts_with(prefix) && name.ends_with(".json"))
        .collect()
}

#[test]
fn every_call_message_survives_reading_and_writing() {
    let names = names("call.");
    assert_eq!(names.len(), 8, "{names:?}");
    for name in names {
        let envelope = Envelope::read(&text(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            !matches!(envelope.message, Message::Other { .. }),
            "{name} is of a known type"
        );
        assert!(envelope.extra.is_empty(), "{name}: {:?}", envelope.extra);
        assert_eq!(envelope.to_value(), value(&name), "{name}");
        let again: Value = serde_json::from_str(&envelope.to_text()).expect(&name);
        assert_eq!(again, value(&name), "{name} as text");
    }
}

#[test]
fn every_form_of_constraints_survives_reading_and_writing() {
    let names = names("constraints.");
    assert_eq!(names.len(), 3, "{names:?}");
    for name in names {
        let constraints =
            Constraints::from_value(value(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(constraints.extra.is_empty(), "{name}: {:?}", constraints.extra);
        assert_eq!(
            serde_json::to_value(&constraints).expect(&name),
            value(&name),
            "{name}"
        );
    }
}

#[test]
fn nested_values_are_read_by_name_and_not_kept_as_unknown() {
    let audio = Constraints::from_value(value("constraints.audio.json")).expect("audio");
    let Some(MediaWish::Params(params)) = audio.audio else {
        panic!("the nested form is an object");
    };
    assert!(params.extra.is_empty());
    assert_eq!(params.sample_rate, Some(48_000.into()));
    let Message::Offer(offer) = Envelope::read(&text("call.offer.json")).expect("offer").message else {
        panic!("an offer");
    };
    assert_eq!((offer.extra.len(), offer.sdp.extra.len()), (0, 0));
    assert_eq!(
        offer.constraints.expect("constraints").max_bandwidth,
        Some(2_000_000.into())
    );
}

#[test]
fn unknown_fields_are_kept_on_every_level() {
    for name in names("call.") {
        let mut message = value(&name);
        message["x_envelope"] = "kept".into();
        message["payload"]["x_payload"] = serde_json::json!({"deep": [1, 2.5, null]});
        if message["payload"]["sdp"].is_object() {
            message["payload"]["sdp"]["x_sdp"] = 1.into();
        }
        let envelope = Envelope::read(&message.to_string()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(envelope.to_value(), message, "{name}");
    }
}

#[test]
fn the_sketch_of_the_envelope_is_not_json_and_is_refused() {
    let error = Envelope::read(&text("envelope.raw.txt")).expect_err("a sketch");
    assert_eq!(error.field(), None);
}
