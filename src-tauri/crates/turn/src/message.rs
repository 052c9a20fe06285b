//! STUN messages (RFC 8489 §5): read in place, written into a buffer that is used again.

use ring::hmac;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use subtle::ConstantTimeEq;

/// Bytes of the header.
pub(crate) const HEADER: usize = 20;
/// Bytes of type and length before each attribute's value.
const ATTRIBUTE_HEADER: usize = 4;
const MAGIC_COOKIE: u32 = 0x2112_A442;
/// What the CRC of a FINGERPRINT is combined with (RFC 8489 §14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// Bytes of an HMAC-SHA1.
const INTEGRITY: usize = 20;

pub(crate) type TransactionId = [u8; 12];

/// Attribute types (RFC 8489 §18.3, RFC 8656 §18).
pub(crate) mod attribute {
    pub(crate) const USERNAME: u16 = 0x0006;
    pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(crate) const ERROR_CODE: u16 = 0x0009;
    pub(crate) const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    pub(crate) const CHANNEL_NUMBER: u16 = 0x000C;
    pub(crate) const LIFETIME: u16 = 0x000D;
    pub(crate) const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub(crate) const DATA: u16 = 0x0013;
    pub(crate) const REALM: u16 = 0x0014;
    pub(crate) const NONCE: u16 = 0x0015;
    pub(crate) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub(crate) const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub(crate) const EVEN_PORT: u16 = 0x0018;
    pub(crate) const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub(crate) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(crate) const RESERVATION_TOKEN: u16 = 0x0022;
    pub(crate) const FINGERPRINT: u16 = 0x8028;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Request,
    Indication,
    Success,
    Error,
}

/// Methods of a request (RFC 8489 §18.2, RFC 8656 §17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Binding,
    Allocate,
    Refresh,
    Send,
    Data,
    CreatePermission,
    ChannelBind,
}

impl Method {
    fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            0x001 => Self::Binding,
            0x003 => Self::Allocate,
            0x004 => Self::Refresh,
            0x006 => Self::Send,
            0x007 => Self::Data,
            0x008 => Self::CreatePermission,
            0x009 => Self::ChannelBind,
            _ => return None,
        })
    }

    fn number(self) -> u16 {
        match self {
            Self::Binding => 0x001,
            Self::Allocate => 0x003,
            Self::Refresh => 0x004,
            Self::Send => 0x006,
            Self::Data => 0x007,
            Self::CreatePermission => 0x008,
            Self::ChannelBind => 0x009,
        }
    }
}

/// The address that an answer to an Allocate request gives; `None` for every other message.
pub fn relayed_address(message: &[u8]) -> Option<SocketAddr> {
    let message = Message::parse(message)?;
    let is_answer = (message.class, message.method) == (Class::Success, Method::Allocate);
    let value = message
        .attribute(attribute::XOR_RELAYED_ADDRESS)
        .filter(|_| is_answer)?;
    xor_address(value, &message.transaction())
}

/// A well-formed message of a method that is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    bytes: &'a [u8],
    pub(crate) class: Class,
    pub(crate) method: Method,
    /// Where the attributes that count end: at the integrity, at the fingerprint, or at the end (RFC 8489 §14.5).
    end: usize,
    has_integrity: bool,
    pub(crate) has_fingerprint: bool,
}

impl<'a> Message<'a> {
    /// Reads one message; `None` for anything that is none, whose fingerprint is wrong, or whose method is unknown.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let kind = read_u16(bytes, 0)?;
        let length = usize::from(read_u16(bytes, 2)?);
        if kind & 0xC000 != 0 || length % 4 != 0 || read_u32(bytes, 4)? != MAGIC_COOKIE {
            return None;
        }
        if bytes.len() != HEADER + length {
            return None;
        }
        let class = match (kind >> 4 & 1) | (kind >> 7 & 2) {
            0 => Class::Request,
            1 => Class::Indication,
            2 => Class::Success,
            _ => Class::Error,
        };
        let method = Method::from_number((kind & 0xF) | (kind >> 1 & 0x70) | (kind >> 2 & 0xF80))?;
        let mut message = Self {
            bytes,
            class,
            method,
            end: bytes.len(),
            has_integrity: false,
            has_fingerprint: false,
        };
        let mut at = HEADER;
        while at < bytes.len() {
            let kind = read_u16(bytes, at)?;
            let length = usize::from(read_u16(bytes, at + 2)?);
            let value = bytes.get(at + ATTRIBUTE_HEADER..at + ATTRIBUTE_HEADER + length)?;
            let next = at + ATTRIBUTE_HEADER + length.next_multiple_of(4);
            match kind {
                attribute::MESSAGE_INTEGRITY if !message.has_integrity => {
                    if length != INTEGRITY {
                        return None;
                    }
                    message.has_integrity = true;
                    message.end = at;
                }
                attribute::FINGERPRINT => {
                    if next != bytes.len() || read_u32(value, 0)? != fingerprint(&bytes[..at]) {
                        return None;
                    }
                    message.has_fingerprint = true;
                    message.end = message.end.min(at);
                }
                _ => {}
            }
            at = next;
        }
        Some(message)
    }

    pub(crate) fn transaction(&self) -> TransactionId {
        let mut id = [0; 12];
        id.copy_from_slice(&self.bytes[8..HEADER]);
        id
    }

    /// The attributes before the integrity, in their order.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let bytes = &self.bytes[..self.end];
        let mut at = HEADER;
        std::iter::from_fn(move || {
            let kind = read_u16(bytes, at)?;
            let length = usize::from(read_u16(bytes, at + 2)?);
            let value = bytes.get(at + ATTRIBUTE_HEADER..at + ATTRIBUTE_HEADER + length)?;
            at += ATTRIBUTE_HEADER + length.next_multiple_of(4);
            Some((kind, value))
        })
    }

    /// The first attribute of a type.
    pub(crate) fn attribute(&self, kind: u16) -> Option<&'a [u8]> {
        self.attributes().find(|(k, _)| *k == kind).map(|(_, v)| v)
    }

    pub(crate) fn text(&self, kind: u16) -> Option<&'a str> {
        std::str::from_utf8(self.attribute(kind)?).ok()
    }

    /// A 32-bit attribute, `Err` when its length is another one.
    pub(crate) fn number(&self, kind: u16) -> Option<u32> {
        let value = self.attribute(kind)?;
        (value.len() == 4).then(|| read_u32(value, 0)).flatten()
    }

    /// Every XOR-PEER-ADDRESS; an item is `None` when it cannot be read.
    pub(crate) fn peers(&self) -> impl Iterator<Item = Option<SocketAddr>> + use<'a> {
        let id = self.transaction();
        self.attributes()
            .filter(|(kind, _)| *kind == attribute::XOR_PEER_ADDRESS)
            .map(move |(_, value)| xor_address(value, &id))
    }

    pub(crate) fn has_integrity(&self) -> bool {
        self.has_integrity
    }

    /// Whether the MESSAGE-INTEGRITY was made with this key (RFC 8489 §14.5).
    pub(crate) fn is_signed_by(&self, key: &hmac::Key) -> bool {
        if !self.has_integrity {
            return false;
        }
        let value = self.end + ATTRIBUTE_HEADER;
        let signature = &self.bytes[value..value + INTEGRITY];
        let expected = integrity(key, &self.bytes[..self.end]);
        expected.as_ref().ct_eq(signature).into()
    }
}

/// Writes one message into a buffer, which it empties first.
pub(crate) struct Writer<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> Writer<'b> {
    pub(crate) fn new(out: &'b mut Vec<u8>, class: Class, method: Method, id: &TransactionId) -> Self {
        let number = method.number();
        let class = match class {
            Class::Request => 0x000,
            Class::Indication => 0x010,
            Class::Success => 0x100,
            Class::Error => 0x110,
        };
        let kind = (number & 0xF) | (number & 0x70) << 1 | (number & 0xF80) << 2 | class;
        out.clear();
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        out.extend_from_slice(id);
        Self { out }
    }

    /// Appends an attribute. The value is one of ours or came in a datagram, so its length fits.
    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        let value = &value[..usize::from(length)];
        self.out.extend_from_slice(&kind.to_be_bytes());
        self.out.extend_from_slice(&length.to_be_bytes());
        self.out.extend_from_slice(value);
        let padded = self.out.len().next_multiple_of(4);
        self.out.resize(padded, 0);
    }

    pub(crate) fn address(&mut self, kind: u16, address: SocketAddr) {
        let mut value = [0; 20];
        let port = address.port() ^ (MAGIC_COOKIE >> 16) as u16;
        value[2..4].copy_from_slice(&port.to_be_bytes());
        let mask = xor_mask(&self.out[4..HEADER]);
        let length = match address.ip() {
            IpAddr::V4(ip) => {
                value[1] = 1;
                value[4..8].copy_from_slice(&ip.octets());
                8
            }
            IpAddr::V6(ip) => {
                value[1] = 2;
                value[4..20].copy_from_slice(&ip.octets());
                20
            }
        };
        for (byte, mask) in value[4..length].iter_mut().zip(mask) {
            *byte ^= mask;
        }
        self.attribute(kind, &value[..length]);
    }

    /// Appends an ERROR-CODE without a phrase: phrases would make answers to strangers longer (IM-Suite §16.22).
    pub(crate) fn error_code(&mut self, code: u16) {
        let [class, number] = [(code / 100) as u8, (code % 100) as u8];
        self.attribute(attribute::ERROR_CODE, &[0, 0, class, number]);
    }

    /// Appends what the other side checks, and returns the finished message.
    pub(crate) fn finish(mut self, key: Option<&hmac::Key>, with_fingerprint: bool) -> &'b [u8] {
        if let Some(key) = key {
            let signature = integrity(key, self.out);
            self.attribute(attribute::MESSAGE_INTEGRITY, signature.as_ref());
        }
        if with_fingerprint {
            self.set_length(ATTRIBUTE_HEADER + 4);
            let crc = fingerprint(self.out);
            self.attribute(attribute::FINGERPRINT, &crc.to_be_bytes());
        }
        self.set_length(0);
        self.out
    }

    /// Writes the length that the message has when so many bytes more are appended.
    fn set_length(&mut self, more: usize) {
        let length = u16::try_from(self.out.len() - HEADER + more).unwrap_or(u16::MAX);
        self.out[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

/// The HMAC-SHA1 of a message up to its integrity, as if it ended with that (RFC 8489 §14.5).
fn integrity(key: &hmac::Key, before: &[u8]) -> hmac::Tag {
    let length = (before.len() - HEADER + ATTRIBUTE_HEADER + INTEGRITY) as u16;
    let mut context = hmac::Context::with_key(key);
    context.update(&before[..2]);
    context.update(&length.to_be_bytes());
    context.update(&before[4..]);
    context.sign()
}

/// The FINGERPRINT of a message that ends before it; the length in its header counts it already.
fn fingerprint(before: &[u8]) -> u32 {
    crc32fast::hash(before) ^ FINGERPRINT_XOR
}

fn xor_address(value: &[u8], id: &TransactionId) -> Option<SocketAddr> {
    let port = read_u16(value, 2)? ^ (MAGIC_COOKIE >> 16) as u16;
    let mut cookie_and_id = [0; 16];
    cookie_and_id[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    cookie_and_id[4..].copy_from_slice(id);
    let mask = xor_mask(&cookie_and_id);
    let unmasked = |length: usize| {
        let mut octets = [0; 16];
        for ((octet, byte), mask) in octets.iter_mut().zip(&value[4..4 + length]).zip(mask) {
            *octet = byte ^ mask;
        }
        octets
    };
    let ip = match (value[1], value.len()) {
        (1, 8) => {
            let [a, b, c, d, ..] = unmasked(4);
            Ipv4Addr::new(a, b, c, d).into()
        }
        (2, 20) => Ipv6Addr::from(unmasked(16)).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Magic cookie and transaction id.
fn xor_mask(cookie_and_id: &[u8]) -> [u8; 16] {
    let mut mask = [0; 16];
    mask.copy_from_slice(cookie_and_id);
    mask
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}
