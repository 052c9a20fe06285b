//! Rooms: ZLMediaKit signaling at `/signaling`, for any client of it and for media servers that keep a room.
//!
//! `table` decides without IO who gets what; `exchange` is the task that owns it, `connection` the task of one socket.
//! Rooms belong to this node alone, also where several nodes are one server.

mod connection;
mod exchange;
mod table;

pub(crate) use connection::open_socket;
pub(crate) use exchange::{Input, start};
pub(crate) use table::{Issue, Issued, Now, Table};
