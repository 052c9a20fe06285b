//! Answers: what they repeat of their request, and refusals (RFC 8489 §6.3).

use super::Relay;
use crate::client::{Client, Route, Transmit};
use crate::message::{Class, Message, Method, TransactionId, Writer, attribute};
use ring::hmac;

/// What an answer repeats of its request.
pub(super) struct Reply {
    pub(super) client: Client,
    pub(super) method: Method,
    pub(super) id: TransactionId,
    pub(super) with_fingerprint: bool,
}

impl Reply {
    pub(super) fn to(client: Client, message: &Message<'_>) -> Self {
        Self {
            client,
            method: message.method,
            id: message.transaction(),
            with_fingerprint: message.has_fingerprint,
        }
    }

    pub(super) fn writer<'b>(&self, out: &'b mut Vec<u8>, class: Class) -> Writer<'b> {
        Writer::new(out, class, self.method, &self.id)
    }
}

impl Relay {
    pub(super) fn refuse(
        &mut self,
        reply: &Reply,
        code: u16,
        key: Option<&hmac::Key>,
        unknown: &[u16],
    ) -> Transmit<'_> {
        self.counters.refused(code);
        let mut writer = reply.writer(&mut self.out, Class::Error);
        writer.error_code(code);
        if !unknown.is_empty() {
            let kinds: Vec<u8> = unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
            writer.attribute(attribute::UNKNOWN_ATTRIBUTES, &kinds);
        }
        Transmit {
            route: Route::ToClient(reply.client),
            payload: writer.finish(key, reply.with_fingerprint),
        }
    }
}

/// Attributes that must be understood and are not (RFC 8489 §6.3.1), each once. DONT-FRAGMENT is among them: a relay
/// without it answers 420 (RFC 8656 §7.2 step 5).
pub(super) fn unknown_attributes(message: &Message<'_>) -> Vec<u16> {
    const MUST_BE_UNDERSTOOD: std::ops::Range<u16> = 0..0x8000;
    const KNOWN: [u16; 13] = [
        attribute::USERNAME,
        attribute::CHANNEL_NUMBER,
        attribute::LIFETIME,
        attribute::XOR_PEER_ADDRESS,
        attribute::DATA,
        attribute::REALM,
        attribute::NONCE,
        attribute::XOR_RELAYED_ADDRESS,
        attribute::REQUESTED_ADDRESS_FAMILY,
        attribute::EVEN_PORT,
        attribute::REQUESTED_TRANSPORT,
        attribute::XOR_MAPPED_ADDRESS,
        attribute::RESERVATION_TOKEN,
    ];
    let mut unknown = Vec::new();
    for (kind, _) in message.attributes() {
        if MUST_BE_UNDERSTOOD.contains(&kind) && !KNOWN.contains(&kind) && !unknown.contains(&kind) {
            unknown.push(kind);
        }
    }
    unknown
}
