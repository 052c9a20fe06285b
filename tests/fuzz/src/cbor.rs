use ahoy_signaling::im_suite::encoding::{EncodeError, Encoding, Frame, MESSAGE_LIMIT};
use serde_json::Value;

/// The first byte chooses the encoding, the rest is a frame. What can be decoded must be JSON within the limit, and mean
/// the same after the way back.
pub fn cbor(bytes: &[u8]) {
    let Some((choice, frame)) = bytes.split_first() else {
        return;
    };
    let encoding = if choice % 2 == 0 {
        Encoding::Cbor
    } else {
        Encoding::CborZ
    };
    let Ok(text) = encoding.decode_binary(frame) else {
        return;
    };
    assert!(text.len() <= MESSAGE_LIMIT);
    let value = read(&text);
    match encoding.encode(text) {
        Ok(Frame::Binary(again)) => {
            let again = encoding
                .decode_binary(&again)
                .expect("what was encoded can be decoded");
            assert_eq!(without_fractions(read(&again)), without_fractions(value));
        }
        Ok(Frame::Text(_)) => panic!("a text frame"),
        // Fractions can be longer in CBOR than in JSON.
        Err(error) => assert_eq!(error, EncodeError::TooBig),
    }
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("what was decoded is JSON")
}

/// Fractions written as decimals may come back with another last bit.
fn without_fractions(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => Value::Null,
        Value::Array(items) => items.into_iter().map(without_fractions).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, without_fractions(value)))
            .collect(),
        other => other,
    }
}
