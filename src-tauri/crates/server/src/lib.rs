//! The reference server: sign-in, presence and calls of IM-Suite for any number of users and devices.
//!
//! [`switchboard`] decides everything without IO. Around it: `http` signs in and opens WebSockets, `connection` is the
//! task of one WebSocket, `exchange` the task that owns the switchboard. The server carries no media; clients send those
//! to each other.
//!
//! ```text
//! WebSocket ─ connection ─► exchange (Switchboard) ─► outbox ─ connection ─ WebSocket
//! ```

mod accounts;
mod admission;
mod config;
mod connection;
mod exchange;
mod http;
mod outbox;
mod server;
pub mod switchboard;
mod token;

pub use config::{Account, JwtSecret, ServerConfig};
pub use server::{Server, ServerError};
