use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::path::Path;

fn fixtures() -> Vec<(String, String)> {
    let folder = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../tests/fixtures/im_suite"
    ));
    let files = std::fs::read_dir(folder).expect("the fixtures");
    let mut found: Vec<_> = files
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).expect("a text"))
        })
        .collect();
    found.sort();
    assert!(found.len() >= 11, "{}", found.len());
    found
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// A text through an encoding and back.
fn through(encoding: Encoding, text: &str) -> String {
    match encoding.encode(text.to_owned()).expect("encodes") {
        Frame::Text(text) => encoding.decode_text(&text),
        Frame::Binary(bytes) => encoding.decode_binary(&bytes),
    }
    .expect("decodes")
}

fn binary(encoding: Encoding, text: &str) -> Vec<u8> {
    match encoding.encode(text.to_owned()) {
        Ok(Frame::Binary(bytes)) => bytes,
        other => panic!("{other:?}"),
    }
}

/// What the bytes of a CBOR map, given as hexadecimal digits, say.
fn cbor(hex: &str) -> Result<Value, DecodeError> {
    let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("digits"))
        .collect();
    Encoding::Cbor.decode_binary(&bytes).map(|text| value(&text))
}

#[test]
fn every_fixture_is_the_same_after_every_encoding() {
    for (name, text) in fixtures() {
        for encoding in Encoding::ALL {
            assert_eq!(
                value(&through(encoding, &text)),
                value(&text),
                "{name} as {encoding:?}"
            );
        }
    }
}

#[test]
fn the_offer_of_the_specification_shrinks_by_compression_and_not_by_cbor() {
    let (_, offer) = fixtures()
        .into_iter()
        .find(|(name, _)| name == "call.offer.json")
        .expect("the offer");
    let json = value(&offer).to_string().len();
    let cbor = binary(Encoding::Cbor, &offer).len();
    let compressed = binary(Encoding::CborZ, &offer).len();
    eprintln!("offer in bytes: JSON {json}, CBOR {cbor}, CBOR and DEFLATE {compressed}");
    // §12 measured 3992, 3645 and 1077.
    assert!((3800..=4100).contains(&json), "{json}");
    assert!((3500..=3800).contains(&cbor), "{cbor}");
    assert!((900..=1200).contains(&compressed), "{compressed}");
}

#[test]
fn cbor_is_written_with_definite_lengths_and_shortest_numbers() {
    let text = r#"{"a":[1,-2,1.5,null,true],"b":"é"}"#;
    let expected = [
        0xa2, 0x61, b'a', 0x85, 0x01, 0x21, 0xfa, 0x3f, 0xc0, 0, 0, 0xf6, 0xf5, 0x61, b'b', 0x62, 0xc3, 0xa9,
    ];
    assert_eq!(binary(Encoding::Cbor, text), expected);
    let marked = binary(Encoding::CborZ, text);
    assert_eq!((marked[0], &marked[1..]), (0, expected.as_slice()));
}

#[test]
fn only_messages_of_512_bytes_or_more_are_compressed() {
    let of_length = |length: usize| {
        // A map of one entry has 6 bytes around a text of more than 255.
        let text = json!({"t": "x".repeat(length - 6)}).to_string();
        assert_eq!(binary(Encoding::Cbor, &text).len(), length);
        binary(Encoding::CborZ, &text)
    };
    assert_eq!((of_length(511)[0], of_length(511).len()), (0, 512));
    assert_eq!(of_length(512)[0], 1);
    assert!(of_length(512).len() < 64);
}

#[test]
fn what_does_not_compress_travels_as_it_is() {
    let mut seed = 1_u32;
    let noise: String = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x4e00 + (seed >> 18)).unwrap_or('x')
    })
    .take(2000)
    .collect();
    let text = json!({ "t": noise }).to_string();
    let frame = binary(Encoding::CborZ, &text);
    assert!(frame.len() <= binary(Encoding::Cbor, &text).len() + 1);
    assert_eq!(value(&through(Encoding::CborZ, &text)), value(&text));
}

#[test]
fn indefinite_lengths_and_half_floats_are_read() {
    assert_eq!(
        cbor("bf 61 61 9f 01 02 ff 7f 61 62 61 63 ff f9 3c 00 ff"),
        Ok(json!({"a": [1, 2], "bc": 1.0}))
    );
    for (half, number) in [
        ("0000", 0.0),
        ("0100", 2_f64.powi(-16)),
        ("7bff", 65504.0),
        ("c400", -4.0),
    ] {
        assert_eq!(
            cbor(&format!("a1 61 61 f9 {half}")),
            Ok(json!({ "a": number })),
            "{half}"
        );
    }
}

#[test]
fn large_integers_stay_exact() {
    let text = json!({"a": 9_007_199_254_740_991_u64, "b": -9_007_199_254_740_991_i64, "c": u64::MAX, "d": i64::MIN})
        .to_string();
    assert_eq!(through(Encoding::Cbor, &text), text);
    assert_eq!(
        cbor("a1 61 61 3b ffffffffffffffff"),
        Ok(json!({"a": -18_446_744_073_709_551_616.0}))
    );
}

#[test]
fn of_equal_keys_the_last_wins() {
    assert_eq!(cbor("a2 61 61 01 61 61 02"), Ok(json!({"a": 2})));
}

#[test]
fn what_json_lacks_is_refused_with_1007() {
    for (hex, what) in [
        ("a1 61 61 41 00", "byte string"),
        ("a1 61 61 5f 41 00 ff", "indefinite byte string"),
        ("a1 61 61 c1 01", "tag"),
        ("d9d9f7 a1 61 61 01", "self-described CBOR"),
        ("a1 61 61 f7", "undefined"),
        ("a1 61 61 e0", "simple value"),
        ("a1 61 61 f8 ff", "simple value in two bytes"),
        ("a1 61 61 f9 7e00", "half NaN"),
        ("a1 61 61 fa 7f800000", "infinity"),
        ("a1 61 61 fb 7ff8000000000000", "NaN"),
        ("a1 01 02", "integer key"),
        ("a1 41 61 01", "byte string key"),
        ("81 01", "array at the top"),
        ("01", "number at the top"),
        ("", "nothing"),
        ("a0 00", "bytes after the end"),
        ("a1 61 61", "no value"),
        ("a2 61 61 01", "one entry too few"),
        ("bf 61 61 01", "no end"),
        ("bf 61 61 ff", "end instead of a value"),
        ("a1 61 61 ff", "end in a definite map"),
        ("a1 61 ff 01", "key that is not UTF-8"),
        ("a1 61 61 62 c3 28", "text that is not UTF-8"),
        ("a1 61 61 7f 61 c3 61 a9 ff", "character across two pieces"),
        ("bb ffffffffffffffff", "more entries than memory"),
        ("a1 61 61 9b ffffffffffffffff", "more items than memory"),
        ("a1 61 61 7b ffffffffffffffff", "more text than memory"),
        ("a1 61 61 1c", "reserved length"),
    ] {
        let error = cbor(hex).expect_err(what);
        assert!(matches!(error, DecodeError::Undecodable(_)), "{what}: {error:?}");
        assert_eq!(error.close_code(), 1007, "{what}");
    }
}

#[test]
fn nesting_is_bounded_for_the_stack_and_otherwise_left_to_the_reader() {
    let nested = |depth: usize| {
        let mut bytes = vec![0xa1, 0x61, b'a'];
        bytes.extend(vec![0x81; depth - 1]);
        bytes.push(0xf6);
        Encoding::Cbor.decode_binary(&bytes)
    };
    let deepest = nested(127).expect("readable");
    assert!(
        serde_json::from_str::<Value>(&deepest).is_ok(),
        "what is decoded can be read"
    );
    assert_eq!(
        nested(128),
        Err(DecodeError::Undecodable("nested too deeply".to_owned()))
    );
    assert!(nested(200_000).is_err());
}

#[test]
fn each_encoding_has_its_kind_of_frame() {
    assert_eq!(Encoding::Json.decode_text("{}"), Ok("{}".to_owned()));
    for error in [
        Encoding::Json.decode_binary(&[0xa0]),
        Encoding::Cbor.decode_text("{}"),
        Encoding::CborZ.decode_text("{}"),
    ] {
        assert_eq!(error, Err(DecodeError::WrongFrameKind));
    }
    assert_eq!(DecodeError::WrongFrameKind.close_code(), 1003);
}

#[test]
fn the_first_byte_decides_about_compression() {
    assert_eq!(
        Encoding::CborZ.decode_binary(&[0, 0xa0]).as_deref(),
        Ok("{}"),
        "plain"
    );
    // A stored block of DEFLATE (RFC 1951 §3.2.4) with the empty map.
    let stored = [1, 1, 1, 0, 0xfe, 0xff, 0xa0];
    assert_eq!(
        Encoding::CborZ.decode_binary(&stored).as_deref(),
        Ok("{}"),
        "stored"
    );
    let mut trailing = stored.to_vec();
    trailing.push(0);
    for (bytes, what) in [
        (&[][..], "empty"),
        (&[2, 0xa0], "unknown mark"),
        (&[0], "no CBOR"),
        (&[1], "no DEFLATE"),
        (&stored[..6], "cut off"),
        (&[1, 0x07], "reserved block type"),
        (&trailing, "bytes after the end"),
    ] {
        let error = Encoding::CborZ.decode_binary(bytes).expect_err(what);
        assert!(matches!(error, DecodeError::Undecodable(_)), "{what}: {error:?}");
    }
}

#[test]
fn the_limit_holds_before_and_after_each_step() {
    let exact = |length: usize| {
        let mut text = r#"{"t":""#.to_owned();
        text.push_str(&"x".repeat(length - text.len() - 2));
        text.push_str("\"}");
        text
    };
    for encoding in Encoding::ALL {
        let largest = exact(MESSAGE_LIMIT);
        assert_eq!(through(encoding, &largest), largest, "{encoding:?}");
        assert_eq!(
            encoding.encode(exact(MESSAGE_LIMIT + 1)),
            Err(EncodeError::TooBig),
            "{encoding:?}"
        );
    }
    let too_big = exact(MESSAGE_LIMIT + 1);
    assert_eq!(Encoding::Json.decode_text(&too_big), Err(DecodeError::TooBig));
    let quotes = json!({ "t": "\"".repeat(MESSAGE_LIMIT / 2) });
    let bytes = cbor::write(quotes.as_object().expect("an object"));
    let as_json = |bytes: &[u8]| Encoding::Cbor.decode_binary(bytes);
    assert!(bytes.len() <= MESSAGE_LIMIT);
    assert_eq!(as_json(&bytes), Err(DecodeError::TooBig), "too big as JSON");
    assert_eq!(as_json(&vec![0; MESSAGE_LIMIT + 1]), Err(DecodeError::TooBig));
    // Short as JSON, long as CBOR.
    let floats = json!({"a": vec![0.1; 40_000]}).to_string();
    assert_eq!(Encoding::Cbor.encode(floats), Err(EncodeError::TooBig));
    assert_eq!(DecodeError::TooBig.close_code(), 1009);
}

#[test]
fn a_bomb_is_refused_while_it_inflates() {
    // 1 GiB would take more than a second; what is read stops at the limit.
    let zeros = vec![0; 16 << 20];
    let bomb = deflate::compress(&zeros, vec![DEFLATED]);
    assert!(bomb.len() < 32 * 1024, "{}", bomb.len());
    assert_eq!(Encoding::CborZ.decode_binary(&bomb), Err(DecodeError::TooBig));
    let held = deflate::expand(
        &deflate::compress(&zeros[..MESSAGE_LIMIT], Vec::new()),
        MESSAGE_LIMIT,
    )
    .expect("as much as allowed");
    assert!(
        held.capacity() <= 2 * (MESSAGE_LIMIT + 1),
        "{} bytes held",
        held.capacity()
    );
}

#[test]
fn only_objects_are_sent() {
    for text in ["[]", "1", "nonsense", ""] {
        assert_eq!(
            Encoding::Cbor.encode(text.to_owned()),
            Err(EncodeError::NotAnObject),
            "{text}"
        );
    }
}

#[test]
fn subprotocols_name_their_encoding() {
    for encoding in Encoding::ALL {
        assert_eq!(Encoding::of_subprotocol(encoding.subprotocol()), Some(encoding));
    }
    assert_eq!(Encoding::of_subprotocol("im-suite.v2.json"), None);
}

fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f32>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(|n| Value::from(f64::from(n))),
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(Value::from),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_is_the_same_after_cbor(entries in prop::collection::btree_map(any::<String>(), any_json(), 0..8)) {
        let map: serde_json::Map<String, Value> = entries.into_iter().collect();
        let bytes = cbor::write(&map);
        prop_assert_eq!(cbor::read(&bytes).expect("CBOR"), map);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for encoding in [Encoding::Cbor, Encoding::CborZ] {
            if let Ok(text) = encoding.decode_binary(&bytes) {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
            }
        }
    }
}
