//! Whom an allocation may send to: permissions and channels (RFC 8656 §9 to §12).

use super::Relay;
use super::authentication::Identity;
use super::requests::Outcome;
use crate::allocation::BindError;
use crate::client::{Client, RelayId};
use crate::message::{Message, attribute};
use crate::moment::Moment;
use crate::peer_rule::Reach;
use std::net::SocketAddr;

/// Whether a peer's port counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// A permission is for all ports of an address (RFC 8656 §9); clients that know none say 0.
    MayBeAny,
    OneIsNamed,
}

impl Relay {
    pub(super) fn create_permission(
        &mut self,
        now: Moment,
        client: Client,
        message: &Message<'_>,
        identity: &Identity,
    ) -> Result<Outcome, u16> {
        let relay = self.own_allocation(now, client, identity)?;
        let mut peers = Vec::new();
        for peer in message.peers() {
            let peer = peer.ok_or(400u16)?;
            self.check_peer(relay, peer, Ports::MayBeAny)?;
            peers.push(peer);
        }
        if peers.is_empty() {
            return Err(400);
        }
        let allocation = self.allocations.get_mut(&relay).ok_or(437u16)?;
        for peer in peers {
            allocation.permit(peer.ip(), now.at).map_err(code_of)?;
        }
        Ok(Outcome::Success { lifetime: None })
    }

    pub(super) fn bind_channel(
        &mut self,
        now: Moment,
        client: Client,
        message: &Message<'_>,
        identity: &Identity,
    ) -> Result<Outcome, u16> {
        let relay = self.own_allocation(now, client, identity)?;
        let number = message.number(attribute::CHANNEL_NUMBER).ok_or(400u16)?;
        let peer = message.peers().next().flatten().ok_or(400u16)?;
        self.check_peer(relay, peer, Ports::OneIsNamed)?;
        let allocation = self.allocations.get_mut(&relay).ok_or(437u16)?;
        // The lower half is reserved (RFC 8656 §18.1).
        allocation
            .bind((number >> 16) as u16, peer, now.at)
            .map_err(code_of)?;
        Ok(Outcome::Success { lifetime: None })
    }

    /// The allocation of this client, if it belongs to this user.
    ///
    /// RFC 8656 §5 asks for the same username. Here the username changes with every renewal of the credentials, so it is
    /// the user in it that has to be the same.
    pub(super) fn own_allocation(
        &self,
        now: Moment,
        client: Client,
        identity: &Identity,
    ) -> Result<RelayId, u16> {
        let relay = *self.by_client.get(&client).ok_or(437u16)?;
        let allocation = self.allocations.get(&relay).ok_or(437u16)?;
        if allocation.expires <= now.at {
            return Err(437);
        }
        if allocation.user != identity.user {
            return Err(441);
        }
        Ok(relay)
    }

    fn check_peer(&self, relay: RelayId, peer: SocketAddr, ports: Ports) -> Result<(), u16> {
        let is_allowed = match self.rules.reach(peer.ip()) {
            Reach::Peer => true,
            Reach::Denied => false,
            // Only the relayed address of another client, or a program that the operator allows. See `neighbour`.
            Reach::Own { .. } => match self.by_port.get(&peer.port()) {
                Some(neighbour) => *neighbour != relay,
                None if peer.port() == 0 => ports == Ports::MayBeAny,
                None => self.rules.may_send(peer),
            },
        };
        if !is_allowed {
            return Err(403);
        }
        if peer.is_ipv4() != self.relay_ip.is_ipv4() {
            return Err(443);
        }
        Ok(())
    }
}

fn code_of(error: BindError) -> u16 {
    match error {
        BindError::Conflict => 400,
        BindError::Full => 508,
    }
}
