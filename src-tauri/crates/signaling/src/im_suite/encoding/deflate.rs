//! Raw DEFLATE (RFC 1951) of one message at a time, bounded while it inflates.

use super::DecodeError;
use flate2::Compression;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::io::{Read, Write};

/// Measured on the offer of the specification: level 6 gives the size of level 9 in less time.
const LEVEL: Compression = Compression::new(6);

/// Appends compressed bytes to what `out` holds.
pub(super) fn compress(bytes: &[u8], out: Vec<u8>) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(out, LEVEL);
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing to memory does not fail")
}

/// Inflates one whole stream; no more than `limit` bytes and what was read too much are ever held.
pub(super) fn expand(bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = DeflateDecoder::new(bytes);
    let mut out = Vec::new();
    let one_too_many = limit as u64 + 1;
    decoder
        .by_ref()
        .take(one_too_many)
        .read_to_end(&mut out)
        .map_err(|error| DecodeError::Undecodable(error.to_string()))?;
    if out.len() > limit {
        return Err(DecodeError::TooBig);
    }
    if decoder.total_in() != bytes.len() as u64 {
        return Err(DecodeError::Undecodable("bytes after the end".to_owned()));
    }
    Ok(out)
}
