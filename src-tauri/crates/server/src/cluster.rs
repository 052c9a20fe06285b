//! More than one node: every node holds the whole switchboard, and all of them apply the same inputs in the same order.
//!
//! ```text
//!   connections ─► node B ── Submit ──►┐              ┌──► node A (sequencer): applies, writes to its connections
//!   connections ─► node A ────────────►│ sequencer ───┤
//!   connections ─► node C ── Submit ──►┘  Log (bus)   ├──► node B: applies, writes to its connections
//!                                                     └──► node C: …
//! ```
//!
//! - **Order.** One node, the sequencer, gives each input a [`Position`](log::Position) (term and index) and a moment, and
//!   publishes it. Everybody applies the log in order, the sequencer too, and only when its own entry comes back from the
//!   bus: what the bus did not carry, nobody was told of.
//! - **Loss.** The bus may lose, repeat, delay. A node sends its inputs again until it sees them in the log; each carries a
//!   number and is applied once. A gap in the log is fetched from the sequencer: entries, or the whole state.
//! - **Joining.** A node follows the log with a fetched state before it is a member; its connections wait meanwhile.
//! - **Death.** A member unheard for two seconds is logged as gone, and all its connections as disconnected, so its calls
//!   are in their resume grace. What was written to its connections and not confirmed by its heartbeats waits for the
//!   device to come back on another node (`state`).
//! - **Takeover.** When the sequencer is unheard, the oldest member claims the next term, asks the living for the last
//!   entry they have, catches up with the furthest, and goes on from there. Whoever has heard of a term refuses lower ones;
//!   an old sequencer that returns finds its entries refused and fetches the state.
//! - **Cut off.** A node that does not hear its own heartbeats applies nothing, so it cannot fork the state. Its sockets
//!   stay for ten seconds, with their inputs in bounded queues; then it closes them with 1012 and takes no more until the
//!   bus is back. No node is declared dead by one that is cut off. A node that was always alone goes on with its state.
//!
//! **Promised**, and checked by `simulation`: no input is applied twice; any two nodes agree on the log up to the shorter
//! one, unless one of them is about to fetch the state; an input that had effect on the node that took it stays, while one
//! node that the bus reached lives on. **Not promised:** that last one while the bus loses messages *and* the sequencer
//! dies, or while the bus itself falls in two halves: then each half goes on, and when they meet, the half with the lower
//! term drops its state and its clients come back as new connections.
//!
//! Each node keeps history in its own database, so it lacks the calls that ended while it was down. All nodes need the same
//! accounts, `jwt_secret` and TURN secret; nodes with another `jwt_secret` do not see each other and say so in the log.
//!
//! `replica` decides and knows neither bus nor clock; `bus` carries bytes; `exchange` joins the two.

pub(crate) mod bus;
mod delivery;
pub(crate) mod join;
mod local;
pub(crate) mod log;
mod message;
mod nats;
mod peers;
mod pending;
pub(crate) mod replica;
mod sequencer;
#[cfg(test)]
mod simulation;
pub(crate) mod state;
mod takeover;
pub(crate) mod wire;

pub use bus::{BusAddress, BusError};
pub use local::InProcessBus;
