//! How messages travel inside WebSocket frames: JSON, CBOR, or CBOR with DEFLATE (§12).
//!
//! Sessions and the server's switchboard deal in JSON texts; the tasks that own sockets translate with this module, on both
//! sides. Pure: bytes in, bytes out, with bounds on depth and size. It does not know what the messages mean.
//!
//! `permessage-deflate`, which §12 leaves open for the first two, is never offered or accepted: it costs every connection
//! a compressor, and whoever wants small messages takes [`Encoding::CborZ`], which holds memory for one message at a time.

mod cbor;
mod deflate;
#[cfg(test)]
mod tests;

use serde_json::Value;

/// Bytes of a message, decompressed, in its frame and as JSON (§12). It holds for both forms, because what comes in as one
/// may go out as the other.
pub const MESSAGE_LIMIT: usize = 256 * 1024;
/// Bytes of a frame: the largest message behind the first byte of [`Encoding::CborZ`].
pub const FRAME_LIMIT: usize = MESSAGE_LIMIT + 1;
/// What a client asks for. Compressed first, because the offer, the one message that a call waits for, is then a quarter as
/// long: 3 KiB less, a third of a second on a line of 64 kbit/s, for 0.2 ms of work. A server that knows only JSON takes
/// that, and one that selects nothing is asked again without any, as it would be for JSON alone.
pub const PREFERENCE: [Encoding; 2] = [Encoding::CborZ, Encoding::Json];
/// Bytes of CBOR from which compression is worth its time (§12).
const COMPRESSED_FROM: usize = 512;
/// First bytes of [`Encoding::CborZ`] (§12).
const PLAIN: u8 = 0;
const DEFLATED: u8 = 1;

/// One of the encodings of §12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Text frames with JSON; also when nothing was negotiated.
    Json,
    /// Binary frames with one CBOR map (RFC 8949).
    Cbor,
    /// Binary frames with one byte that tells whether DEFLATE (RFC 1951) follows, then CBOR.
    CborZ,
}

/// A message ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    Binary(Vec<u8>),
}

/// Why a received frame cannot be read; each has its close code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the encoding in use has no frames of this kind")]
    WrongFrameKind,
    #[error("the message is over the limit")]
    TooBig,
    #[error("the frame cannot be decoded: {0}")]
    Undecodable(String),
}

/// Why a text cannot be sent; none of these happens to messages that this crate or the server makes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("the message is not a JSON object")]
    NotAnObject,
    #[error("the message is over the limit")]
    TooBig,
}

impl DecodeError {
    /// The WebSocket close code (§1.10).
    pub fn close_code(&self) -> u16 {
        match self {
            DecodeError::WrongFrameKind => 1003,
            DecodeError::Undecodable(_) => 1007,
            DecodeError::TooBig => 1009,
        }
    }
}

impl Encoding {
    pub const ALL: [Self; 3] = [Encoding::Json, Encoding::Cbor, Encoding::CborZ];

    /// The name it is negotiated by (RFC 6455 §1.9).
    pub fn subprotocol(self) -> &'static str {
        match self {
            Encoding::Json => "im-suite.v1.json",
            Encoding::Cbor => "im-suite.v1.cbor",
            Encoding::CborZ => "im-suite.v1.cbor.z",
        }
    }

    /// The encoding of a subprotocol, if it is one of these.
    pub fn of_subprotocol(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|encoding| encoding.subprotocol() == name)
    }

    /// Puts a JSON text into a frame.
    pub fn encode(self, text: String) -> Result<Frame, EncodeError> {
        if text.len() > MESSAGE_LIMIT {
            return Err(EncodeError::TooBig);
        }
        if self == Encoding::Json {
            return Ok(Frame::Text(text));
        }
        let value: Value = serde_json::from_str(&text).map_err(|_| EncodeError::NotAnObject)?;
        let Value::Object(map) = value else {
            return Err(EncodeError::NotAnObject);
        };
        let cbor = cbor::write(&map);
        if cbor.len() > MESSAGE_LIMIT {
            return Err(EncodeError::TooBig);
        }
        Ok(Frame::Binary(match self {
            Encoding::CborZ => marked(&cbor),
            Encoding::Cbor | Encoding::Json => cbor,
        }))
    }

    /// Reads a text frame as a JSON text. What the text says is for the reader of messages to judge.
    pub fn decode_text(self, text: &str) -> Result<String, DecodeError> {
        match self {
            Encoding::Json if text.len() > MESSAGE_LIMIT => Err(DecodeError::TooBig),
            Encoding::Json => Ok(text.to_owned()),
            Encoding::Cbor | Encoding::CborZ => Err(DecodeError::WrongFrameKind),
        }
    }

    /// Reads a binary frame as a JSON text.
    pub fn decode_binary(self, bytes: &[u8]) -> Result<String, DecodeError> {
        match self {
            Encoding::Json => Err(DecodeError::WrongFrameKind),
            Encoding::Cbor => json_of(bytes),
            Encoding::CborZ => match bytes.split_first() {
                Some((&PLAIN, cbor)) => json_of(cbor),
                Some((&DEFLATED, deflated)) => json_of(&deflate::expand(deflated, MESSAGE_LIMIT)?),
                Some((first, _)) => Err(DecodeError::Undecodable(format!("unknown first byte {first}"))),
                None => Err(DecodeError::Undecodable("an empty frame".to_owned())),
            },
        }
    }
}

fn json_of(bytes: &[u8]) -> Result<String, DecodeError> {
    if bytes.len() > MESSAGE_LIMIT {
        return Err(DecodeError::TooBig);
    }
    let map = cbor::read(bytes).map_err(|error| DecodeError::Undecodable(error.to_string()))?;
    let text = Value::Object(map).to_string();
    if text.len() > MESSAGE_LIMIT {
        return Err(DecodeError::TooBig);
    }
    Ok(text)
}

/// CBOR behind its first byte, compressed where that makes it smaller.
fn marked(cbor: &[u8]) -> Vec<u8> {
    if cbor.len() >= COMPRESSED_FROM {
        let deflated = deflate::compress(cbor, vec![DEFLATED]);
        if deflated.len() <= cbor.len() {
            return deflated;
        }
    }
    let mut plain = Vec::with_capacity(1 + cbor.len());
    plain.push(PLAIN);
    plain.extend_from_slice(cbor);
    plain
}
