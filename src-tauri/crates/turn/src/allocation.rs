//! One client's relayed address: whom it may reach, and its channels (RFC 8656 §3).
//!
//! Times are compared when something is used; `sweep` only frees memory.

use crate::client::Client;
use crate::message::TransactionId;
use ring::hmac;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How long a permission lasts (RFC 8656 §9).
const PERMISSION: Duration = Duration::from_secs(300);
/// How long a channel lasts (RFC 8656 §12).
const CHANNEL: Duration = Duration::from_secs(600);
/// Peers of one allocation (chosen: far above the candidates of a call).
const MAX_PERMISSIONS: usize = 256;
/// Channels of one allocation (chosen likewise).
const MAX_CHANNELS: usize = 256;
/// Channel numbers (RFC 5766 §11). RFC 8656 §12 narrows what clients should choose to 0x4FFF; older ones, coturn's among
/// them, choose from all.
const CHANNEL_NUMBERS: std::ops::RangeInclusive<u16> = 0x4000..=0x7FFF;

/// Why a permission or a channel is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BindError {
    /// No channel number, or number and peer are bound otherwise.
    Conflict,
    /// There are too many.
    Full,
}

#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) client: Client,
    pub(crate) user: Arc<str>,
    /// As in the request that made it: good for it even after its expiry.
    pub(crate) username: Box<str>,
    pub(crate) key: hmac::Key,
    pub(crate) relayed: SocketAddr,
    pub(crate) expires: Duration,
    /// The request that made it, and the answer, for when it comes again.
    pub(crate) request: TransactionId,
    pub(crate) answer: Vec<u8>,
    /// Until when each peer may send.
    permissions: HashMap<IpAddr, Duration>,
    channels: HashMap<u16, Channel>,
    numbers: HashMap<SocketAddr, u16>,
}

#[derive(Debug, Clone, Copy)]
struct Channel {
    peer: SocketAddr,
    expires: Duration,
}

impl Allocation {
    pub(crate) fn new(
        client: Client,
        user: Arc<str>,
        username: Box<str>,
        key: hmac::Key,
        relayed: SocketAddr,
        expires: Duration,
        request: TransactionId,
    ) -> Self {
        Self {
            client,
            user,
            username,
            key,
            relayed,
            expires,
            request,
            answer: Vec::new(),
            permissions: HashMap::new(),
            channels: HashMap::new(),
            numbers: HashMap::new(),
        }
    }

    /// Lets a peer send, or lets it longer.
    pub(crate) fn permit(&mut self, peer: IpAddr, now: Duration) -> Result<(), BindError> {
        if self.permissions.len() >= MAX_PERMISSIONS && !self.permissions.contains_key(&peer) {
            self.permissions.retain(|_, expires| *expires > now);
            if self.permissions.len() >= MAX_PERMISSIONS {
                return Err(BindError::Full);
            }
        }
        self.permissions.insert(peer, now + PERMISSION);
        Ok(())
    }

    pub(crate) fn permits(&self, peer: IpAddr, now: Duration) -> bool {
        self.permissions.get(&peer).is_some_and(|expires| *expires > now)
    }

    /// Binds a channel or refreshes it, and the permission with it (RFC 8656 §12.2).
    pub(crate) fn bind(&mut self, number: u16, peer: SocketAddr, now: Duration) -> Result<(), BindError> {
        if !CHANNEL_NUMBERS.contains(&number) {
            return Err(BindError::Conflict);
        }
        self.sweep_channels(now);
        let peer_of_number = self.channels.get(&number).map(|channel| channel.peer);
        let number_of_peer = self.numbers.get(&peer).copied();
        match (peer_of_number, number_of_peer) {
            (None, None) if self.channels.len() >= MAX_CHANNELS => return Err(BindError::Full),
            (None, None) => {}
            (Some(bound), Some(_)) if bound == peer => {}
            (Some(_), _) | (None, Some(_)) => return Err(BindError::Conflict),
        }
        self.permit(peer.ip(), now)?;
        let expires = now + CHANNEL;
        self.channels.insert(number, Channel { peer, expires });
        self.numbers.insert(peer, number);
        Ok(())
    }

    pub(crate) fn peer_of(&self, number: u16, now: Duration) -> Option<SocketAddr> {
        let channel = self.channels.get(&number)?;
        (channel.expires > now).then_some(channel.peer)
    }

    pub(crate) fn channel_to(&self, peer: SocketAddr, now: Duration) -> Option<u16> {
        let number = *self.numbers.get(&peer)?;
        self.peer_of(number, now).map(|_| number)
    }

    pub(crate) fn sweep(&mut self, now: Duration) {
        self.permissions.retain(|_, expires| *expires > now);
        self.sweep_channels(now);
    }

    fn sweep_channels(&mut self, now: Duration) {
        let Self {
            channels, numbers, ..
        } = self;
        channels.retain(|_, channel| {
            let lives = channel.expires > now;
            if !lives {
                numbers.remove(&channel.peer);
            }
            lives
        });
    }
}
