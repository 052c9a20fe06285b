//! The client side of STUN, written with a codec that is not ours.

use super::SECRET;
use ahoy_turn::TurnSecret;
use ahoy_turn::credentials::{self, Credentials};
use rtc_stun::attributes::*;
use rtc_stun::crypto::{RTCCryptoProvider, default_provider};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::*;
use rtc_stun::xoraddr::XorMappedAddress;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use rtc_stun::message::{
    METHOD_ALLOCATE, METHOD_BINDING, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION, METHOD_DATA,
    METHOD_REFRESH, METHOD_SEND, Method,
};

pub const UDP: [u8; 4] = [17, 0, 0, 0];

/// Attributes of a request, in their order.
pub type Attributes<'a> = &'a [(AttrType, &'a [u8])];

fn provider() -> Arc<dyn RTCCryptoProvider> {
    default_provider().expect("ring is built in")
}

/// Writes a message; with `signed` it ends with an integrity made by this key.
fn write(
    method: Method,
    class: MessageClass,
    attributes: Attributes<'_>,
    peers: &[SocketAddr],
    signed: Option<&[u8]>,
) -> Vec<u8> {
    let mut message = Message::new();
    message.set_type(MessageType::new(method, class));
    message.write_header();
    message.new_transaction_id().expect("random numbers");
    for (kind, value) in attributes {
        message.add(*kind, value);
    }
    for peer in peers {
        let address = XorMappedAddress {
            ip: peer.ip(),
            port: peer.port(),
        };
        address
            .add_to_as(&mut message, ATTR_XOR_PEER_ADDRESS)
            .expect("fits");
    }
    if let Some(key) = signed {
        let provider = provider();
        MessageIntegrity::new_raw_integrity_with_provider(key, provider.crypto())
            .add_to(&mut message)
            .expect("it can be signed");
    }
    message.raw
}

/// A request of a stranger.
pub fn unsigned(method: Method, attributes: Attributes<'_>) -> Vec<u8> {
    write(method, CLASS_REQUEST, attributes, &[], None)
}

/// A request with a fingerprint at its end.
pub fn fingerprinted(method: Method) -> Vec<u8> {
    let mut message = Message::new();
    message.set_type(MessageType::new(method, CLASS_REQUEST));
    message.write_header();
    message.new_transaction_id().expect("random numbers");
    FINGERPRINT.add_to(&mut message).expect("fits");
    message.raw
}

pub fn indication(peers: &[SocketAddr], attributes: Attributes<'_>) -> Vec<u8> {
    write(METHOD_SEND, CLASS_INDICATION, attributes, peers, None)
}

pub fn channel_data(number: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("fits");
    [&number.to_be_bytes()[..], &length.to_be_bytes(), payload].concat()
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    message: Message,
}

impl Answer {
    pub fn read(bytes: &[u8]) -> Self {
        let mut message = Message::new();
        message.unmarshal_binary(bytes).expect("an answer can be read");
        if message.contains(ATTR_FINGERPRINT) {
            FINGERPRINT.check(&message).expect("the fingerprint is right");
        }
        Self { message }
    }

    pub fn method(&self) -> Method {
        self.message.typ.method
    }

    pub fn transaction(&self) -> [u8; 12] {
        self.message.transaction_id.0
    }

    pub fn is_success(&self) -> bool {
        self.message.typ.class == CLASS_SUCCESS_RESPONSE
    }

    /// The error code; 0 for a success.
    pub fn code(&self) -> u16 {
        self.get(ATTR_ERROR_CODE)
            .map_or(0, |value| u16::from(value[2]) * 100 + u16::from(value[3]))
    }

    pub fn get(&self, kind: AttrType) -> Option<Vec<u8>> {
        self.message.get(kind).ok()
    }

    pub fn address(&self, kind: AttrType) -> SocketAddr {
        let mut address = XorMappedAddress::default();
        address.get_from_as(&self.message, kind).expect("an address");
        SocketAddr::new(address.ip, address.port)
    }

    pub fn lifetime(&self) -> u32 {
        let value = self.get(ATTR_LIFETIME).expect("a lifetime");
        u32::from_be_bytes(value.try_into().expect("four bytes"))
    }

    pub fn text(&self, kind: AttrType) -> String {
        String::from_utf8(self.get(kind).expect("the attribute")).expect("text")
    }
}

/// Credentials, and what the relay has said to use with them.
#[derive(Debug, Clone)]
pub struct Account {
    pub credentials: Credentials,
    pub realm: String,
    pub nonce: String,
}

impl Account {
    /// Good for an hour from `now` on, in unix seconds.
    pub fn of(user: &str, now: u64) -> Self {
        let secret = TurnSecret::new(SECRET);
        Self {
            credentials: credentials::issue(&secret, user, now, Duration::from_secs(3600)),
            realm: "none".to_owned(),
            nonce: "none".to_owned(),
        }
    }

    pub fn take_challenge(&mut self, answer: &Answer) {
        self.realm = answer.text(ATTR_REALM);
        self.nonce = answer.text(ATTR_NONCE);
    }

    fn key(&self) -> Vec<u8> {
        let Credentials { username, credential } = self.credentials.clone();
        let provider = provider();
        MessageIntegrity::long_term_integrity_key(username, self.realm.clone(), credential, provider.crypto())
            .expect("a key")
    }

    pub fn request(&self, method: Method, attributes: Attributes<'_>, peers: &[SocketAddr]) -> Vec<u8> {
        let own: [(AttrType, &[u8]); 3] = [
            (ATTR_USERNAME, self.credentials.username.as_bytes()),
            (ATTR_REALM, self.realm.as_bytes()),
            (ATTR_NONCE, self.nonce.as_bytes()),
        ];
        write(
            method,
            CLASS_REQUEST,
            &[&own[..], attributes].concat(),
            peers,
            Some(&self.key()),
        )
    }

    /// Panics unless the answer was signed with these credentials.
    pub fn check(&self, bytes: &[u8]) {
        let mut message = Message::new();
        message.unmarshal_binary(bytes).expect("an answer can be read");
        let provider = provider();
        MessageIntegrity::check(&mut message, &self.key(), provider.crypto())
            .expect("the relay knows the key");
    }
}
