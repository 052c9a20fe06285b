//! ZLMediaKit signaling: rooms and guests, `register`, `call`, `candidate` and `bye` over a WebSocket.
//!
//! `wire` is the messages as they travel, `lenient` reads the protocol document's own ones, `own` is what two copies of
//! Ahoy tell each other beside them, `session` one registered connection.
//!
//! Every message of a call names the callee's room, in both directions, and the guest id that its caller made. The server
//! relays and knows no call; it drops in silence what it does not understand, so every wait here has an end.

mod ids;
mod lenient;
pub mod own;
mod session;
pub mod wire;

pub use session::Session;

/// What the room of a MediaServer that calls by itself begins with; it waits ten seconds for its answer and no longer.
pub const MEDIA_SERVER_ROOM: &str = "ringing_";

/// The virtual host of a MediaServer that has one.
pub const DEFAULT_VHOST: &str = "__defaultVhost__";

/// Ahoy's own server's words for a secret that is missing or wrong.
pub const WRONG_SECRET: &str = "room secret wrong";
