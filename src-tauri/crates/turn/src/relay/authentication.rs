//! Who asks: long-term credentials (RFC 8489 §9.2), and the answer to those who have none yet.

use super::Relay;
use super::reply::Reply;
use crate::client::{Client, Route, Transmit};
use crate::credentials;
use crate::message::{Class, Message, attribute};
use crate::moment::Moment;
use md5::{Digest, Md5};
use ring::hmac;
use std::sync::Arc;

/// Short, for answers to strangers (IM-Suite §16.22).
const REALM: &str = "ahoy";

/// Somebody whose credentials are good.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) user: Arc<str>,
    pub(super) username: Box<str>,
    pub(super) key: hmac::Key,
}

impl Relay {
    /// Checks long-term credentials (RFC 8489 §9.2.4). The nonce comes first: it costs the least, and whoever sends from a
    /// forged address has none.
    pub(super) fn authenticate(
        &self,
        now: Moment,
        client: Client,
        message: &Message<'_>,
    ) -> Result<Identity, u16> {
        if !message.has_integrity() {
            return Err(401);
        }
        let username = message.text(attribute::USERNAME).ok_or(400u16)?;
        let nonce = message.attribute(attribute::NONCE).ok_or(400u16)?;
        message.attribute(attribute::REALM).ok_or(400u16)?;
        if !self.nonces.is_fresh(nonce, now.at, client.address) {
            return Err(438);
        }
        let existing = self
            .by_client
            .get(&client)
            .and_then(|id| self.allocations.get(id));
        let identity = match existing {
            // A call is not cut off because it is longer than its credentials are good for: the username of a living
            // allocation stays good for it. A new allocation needs new credentials.
            Some(allocation) if *allocation.username == *username => Identity {
                user: Arc::clone(&allocation.user),
                username: allocation.username.clone(),
                key: allocation.key.clone(),
            },
            Some(_) | None => {
                let (expires, user) = credentials::parse(username).map_err(|_| 401u16)?;
                if expires < now.unix {
                    return Err(401);
                }
                let password = credentials::password(&self.secret, username);
                Identity {
                    user: user.into(),
                    username: username.into(),
                    key: long_term_key(username, &password),
                }
            }
        };
        if message.is_signed_by(&identity.key) {
            Ok(identity)
        } else {
            Err(401)
        }
    }

    pub(super) fn challenge(&mut self, now: Moment, reply: &Reply, code: u16) -> Transmit<'_> {
        if code == 400 {
            return self.refuse(reply, code, None, &[]);
        }
        self.counters.refused(code);
        let nonce = self.nonces.issue(now.at, reply.client.address);
        let mut writer = reply.writer(&mut self.out, Class::Error);
        writer.error_code(code);
        writer.attribute(attribute::REALM, REALM.as_bytes());
        writer.attribute(attribute::NONCE, nonce.as_bytes());
        Transmit {
            route: Route::ToClient(reply.client),
            payload: writer.finish(None, reply.with_fingerprint),
        }
    }
}

/// The key of long-term credentials (RFC 8489 §9.2.2).
pub(super) fn long_term_key(username: &str, password: &str) -> hmac::Key {
    let mut hash = Md5::new();
    for part in [username, ":", REALM, ":", password] {
        hash.update(part.as_bytes());
    }
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &hash.finalize())
}
