//! JSON objects as CBOR maps (RFC 8949) and back.
//!
//! Written: definite lengths and the shortest integers; floats as 32 bits where those hold the same number. Read besides:
//! indefinite lengths (§3.2 there) and half floats. What JSON lacks is refused: byte strings, tags, `undefined`, other
//! simple values, keys that are no text, NaN and infinities. Of equal keys the last wins (IM-Suite §2).

use minicbor::data::Type;
use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder};
use serde_json::{Map, Number, Value};
use std::convert::Infallible;

/// How many arrays and maps may lie in each other: as many as `serde_json` reads, so that each message that arrives can be
/// read as JSON. Keeps the stack small; how deep a message may be is for its reader to say (IM-Suite §2, §16.9).
const DEEPEST: usize = 127;

/// Why bytes are not a JSON object in CBOR.
#[derive(Debug, thiserror::Error)]
pub(super) enum CborError {
    #[error("not CBOR: {0}")]
    Malformed(#[from] decode::Error),
    #[error("{0} has no place in JSON")]
    Foreign(Type),
    #[error("a number that is not finite")]
    NotFinite,
    #[error("a key that is not text")]
    Key,
    #[error("not a map")]
    NotAMap,
    #[error("nested too deeply")]
    TooDeep,
    #[error("bytes after the end")]
    Trailing,
}

pub(super) fn write(map: &Map<String, Value>) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write_map(&mut encoder, map).expect("writing to memory does not fail");
    encoder.into_writer()
}

type Written = Result<(), encode::Error<Infallible>>;

fn write_map(encoder: &mut Encoder<Vec<u8>>, map: &Map<String, Value>) -> Written {
    encoder.map(map.len() as u64)?;
    for (key, value) in map {
        encoder.str(key)?;
        write_value(encoder, value)?;
    }
    Ok(())
}

fn write_value(encoder: &mut Encoder<Vec<u8>>, value: &Value) -> Written {
    match value {
        Value::Null => encoder.null()?,
        Value::Bool(value) => encoder.bool(*value)?,
        Value::Number(number) => return write_number(encoder, number),
        Value::String(text) => encoder.str(text)?,
        Value::Array(items) => {
            encoder.array(items.len() as u64)?;
            return items.iter().try_for_each(|item| write_value(encoder, item));
        }
        Value::Object(map) => return write_map(encoder, map),
    };
    Ok(())
}

fn write_number(encoder: &mut Encoder<Vec<u8>>, number: &Number) -> Written {
    if let Some(number) = number.as_u64() {
        encoder.u64(number)?;
    } else if let Some(number) = number.as_i64() {
        encoder.i64(number)?;
    } else {
        let number = number.as_f64().unwrap_or_default();
        // Narrowed on trial.
        let short = number as f32;
        if f64::from(short) == number {
            encoder.f32(short)?;
        } else {
            encoder.f64(number)?;
        }
    }
    Ok(())
}

pub(super) fn read(bytes: &[u8]) -> Result<Map<String, Value>, CborError> {
    let mut decoder = Decoder::new(bytes);
    if !matches!(decoder.datatype()?, Type::Map | Type::MapIndef) {
        return Err(CborError::NotAMap);
    }
    let map = read_map(&mut decoder, 1)?;
    if decoder.position() == bytes.len() {
        Ok(map)
    } else {
        Err(CborError::Trailing)
    }
}

/// Reads a value inside `depth` arrays and maps.
fn read_value(decoder: &mut Decoder<'_>, depth: usize) -> Result<Value, CborError> {
    let kind = decoder.datatype()?;
    Ok(match kind {
        Type::Null => {
            decoder.null()?;
            Value::Null
        }
        Type::Bool => Value::Bool(decoder.bool()?),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => Value::from(decoder.u64()?),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => read_negative(decoder)?,
        Type::F16 => finite(read_half(decoder)?)?,
        Type::F32 | Type::F64 => finite(decoder.f64()?)?,
        Type::String | Type::StringIndef => Value::String(read_text(decoder)?),
        Type::Array | Type::ArrayIndef => read_array(decoder, depth + 1)?,
        Type::Map | Type::MapIndef => Value::Object(read_map(decoder, depth + 1)?),
        Type::Bytes
        | Type::BytesIndef
        | Type::Tag
        | Type::Undefined
        | Type::Simple
        | Type::Break
        | Type::Unknown(_) => return Err(CborError::Foreign(kind)),
    })
}

fn read_map(decoder: &mut Decoder<'_>, depth: usize) -> Result<Map<String, Value>, CborError> {
    if depth > DEEPEST {
        return Err(CborError::TooDeep);
    }
    let mut left = decoder.map()?;
    // Grows with what is there: the announced length is only believed as far as entries come.
    let mut map = Map::new();
    while goes_on(decoder, &mut left)? {
        if !matches!(decoder.datatype()?, Type::String | Type::StringIndef) {
            return Err(CborError::Key);
        }
        let key = read_text(decoder)?;
        map.insert(key, read_value(decoder, depth)?);
    }
    Ok(map)
}

fn read_array(decoder: &mut Decoder<'_>, depth: usize) -> Result<Value, CborError> {
    if depth > DEEPEST {
        return Err(CborError::TooDeep);
    }
    let mut left = decoder.array()?;
    let mut items = Vec::new();
    while goes_on(decoder, &mut left)? {
        items.push(read_value(decoder, depth)?);
    }
    Ok(Value::Array(items))
}

/// Whether another item follows: by the announced number, or up to the break.
fn goes_on(decoder: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, CborError> {
    match left {
        Some(0) => Ok(false),
        Some(left) => {
            *left -= 1;
            Ok(true)
        }
        None if decoder.datatype()? == Type::Break => {
            decoder.set_position(decoder.position() + 1);
            Ok(false)
        }
        None => Ok(true),
    }
}

fn read_text(decoder: &mut Decoder<'_>) -> Result<String, CborError> {
    let mut text = String::new();
    for piece in decoder.str_iter()? {
        text.push_str(piece?);
    }
    Ok(text)
}

fn read_negative(decoder: &mut Decoder<'_>) -> Result<Value, CborError> {
    let number = i128::from(decoder.int()?);
    Ok(match i64::try_from(number) {
        Ok(number) => Value::from(number),
        // Below every integer of JSON readers: only its size counts.
        Err(_) => finite(number as f64)?,
    })
}

/// A half float (RFC 8949 appendix D).
fn read_half(decoder: &mut Decoder<'_>) -> Result<f64, CborError> {
    let at = decoder.position();
    let bytes = decoder
        .input()
        .get(at + 1..at + 3)
        .and_then(|bytes| <[u8; 2]>::try_from(bytes).ok())
        .ok_or_else(decode::Error::end_of_input)?;
    decoder.set_position(at + 3);
    let bits = u16::from_be_bytes(bytes);
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (fraction + 1024.0) * 2_f64.powi(exponent - 25),
    };
    Ok(if bits & 0x8000 == 0 { size } else { -size })
}

fn finite(number: f64) -> Result<Value, CborError> {
    Number::from_f64(number)
        .map(Value::Number)
        .ok_or(CborError::NotFinite)
}
