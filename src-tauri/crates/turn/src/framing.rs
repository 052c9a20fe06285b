//! Where messages begin and end on a stream (RFC 8489 §6.2.2, RFC 8656 §12.5).
//!
//! STUN messages and ChannelData say their own length; on a stream ChannelData is padded to four bytes.

/// The bytes that tell how long a message is.
pub const PREFIX: usize = 4;

/// What kind a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Stun,
    ChannelData,
}

/// The stream carries something else, and nothing after it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream does not carry STUN")]
pub struct NotStun;

/// One message in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    /// Bytes of the message.
    pub length: usize,
    /// Bytes that it takes on the stream: with its padding.
    pub on_stream: usize,
}

impl Frame {
    /// Reads the beginning of a message; `None` when fewer than [`PREFIX`] bytes have come.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, NotStun> {
        let Some(&[first, _, high, low]) = bytes.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        match first >> 6 {
            0 if length % 4 == 0 => Ok(Some(Self {
                kind: Kind::Stun,
                length: 20 + length,
                on_stream: 20 + length,
            })),
            1 => Ok(Some(Self {
                kind: Kind::ChannelData,
                length: 4 + length,
                on_stream: 4 + length.next_multiple_of(4),
            })),
            _ => Err(NotStun),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_four_bytes_tell_kind_and_length() {
        let stun = Frame::read(&[0x00, 0x01, 0x00, 0x08]).expect("STUN");
        let channel = Frame::read(&[0x40, 0x00, 0x00, 0x05, 0xFF]).expect("ChannelData");
        assert_eq!(
            stun,
            Some(Frame {
                kind: Kind::Stun,
                length: 28,
                on_stream: 28
            })
        );
        assert_eq!(
            channel,
            Some(Frame {
                kind: Kind::ChannelData,
                length: 9,
                on_stream: 12
            })
        );
    }

    #[test]
    fn too_few_bytes_are_waited_for_and_other_protocols_are_refused() {
        assert_eq!(Frame::read(&[0x40, 0, 0]), Ok(None));
        assert_eq!(Frame::read(&[0x16, 3, 1, 2]), Err(NotStun), "a TLS hello");
        assert_eq!(
            Frame::read(&[0x00, 0x01, 0x00, 0x07]),
            Err(NotStun),
            "an odd length"
        );
    }
}
