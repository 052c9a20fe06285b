//! The doors through which bytes of strangers come in, each as a function of bytes.
//!
//! | target | door |
//! |---|---|
//! | [`json`] | messages to the server's switchboard, and to a client's session |
//! | [`rooms`] | messages to the server's rooms, to a client's room, and to the lenient reader between |
//! | [`cbor`] | binary frames, both encodings |
//! | [`stun`] | datagrams and stream frames to the relay |

mod cbor;
mod json;
mod rooms;
mod seeds;
mod stun;

pub use cbor::cbor;
pub use json::json;
pub use rooms::rooms;
pub use seeds::write_seeds;
pub use stun::stun;
