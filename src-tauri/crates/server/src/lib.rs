//! The reference server: sign-in, presence and calls of IM-Suite for any number of users and devices, and rooms for
//! clients of ZLMediaKit.
//!
//! [`switchboard`] decides everything without IO. Around it: `accept` takes connections, `http` and `rest` answer requests
//! and open WebSockets, `connection` is the task of one WebSocket, `exchange` the task that owns the switchboard, and
//! [`store`] keeps what outlives them. Media goes from client to client, or through the `relay` where these cannot reach
//! each other. Several servers on one bus are one server with several addresses (`cluster`). `rooms` is the other protocol,
//! with a table and a task of its own.
//!
//! ```text
//! WebSocket ─ connection ─► exchange (Switchboard) ─► outbox ─ connection ─ WebSocket
//!                                  │ records
//! HTTP ── accept ─ rest ─────────► store ── people ─► exchange
//! ```

mod accept;
mod admission;
mod cluster;
mod config;
mod connection;
mod exchange;
mod flood;
pub mod fuzz;
mod http;
mod metrics;
mod outbox;
mod passwords;
mod rate;
mod refused;
mod relay;
mod rest;
mod rooms;
mod seats;
mod server;
mod start;
pub mod store;
pub mod switchboard;
mod tls;
mod token;
mod traffic;

pub use ahoy_turn::{Network, TurnConfig, TurnSecret, TurnStats};
pub use cluster::{BusAddress, BusError, InProcessBus};
pub use config::{Account, JwtSecret, ServerConfig};
pub use passwords::{PasswordError, generate_password, hash_password};
pub use relay::{IceServer, TURN_TTL};
pub use server::Server;
pub use start::ServerError;
pub use tls::{TlsError, TlsFiles};
