//! How a server gets its place on a bus.

use super::bus::{BusAddress, BusError};
use super::local::LocalBus;
use super::log::NodeId;
use super::nats::NatsBus;
use super::wire::Line;
use crate::config::JwtSecret;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};

/// What is signed for a badge.
const PURPOSE: &[u8] = b"ahoy nodes of one server";

/// One node's place, by kind of bus.
pub(crate) enum Place {
    InProcess(Line<LocalBus>),
    Nats(Line<NatsBus>),
}

/// Gets on a bus as a node of the cluster that has this secret.
pub(crate) async fn join(address: &BusAddress, node: NodeId, secret: &JwtSecret) -> Result<Place, BusError> {
    let badge = badge(secret);
    Ok(match address {
        BusAddress::InProcess(bus) => Place::InProcess(Line::new(bus.join(node), node, badge)),
        BusAddress::Nats(url) => Place::Nats(Line::new(NatsBus::connect(url, node).await?, node, badge)),
    })
}

/// Equal for equal secrets, and says nothing about them.
fn badge(secret: &JwtSecret) -> u64 {
    let signature = crypto::sign(PURPOSE, &EncodingKey::from_secret(&secret.0), Algorithm::HS256);
    let signature = signature.expect("any bytes are a key of HS256");
    let first = signature.as_bytes().first_chunk();
    u64::from_be_bytes(*first.expect("a signature has 43 characters"))
}
