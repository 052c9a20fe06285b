//! Who is told about whom: the `presence` message of IM-Suite §11, a hint for display.
//!
//! Everybody hears of everybody; narrowing it to contacts needs contacts.

use super::calls::Calls;
use super::devices::Devices;
use super::message::{server_text, time_text};
use super::{ConnId, Moment};
use ahoy_call::UserId;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct PresenceBoard {
    published: HashMap<UserId, Shown>,
    last_seen: HashMap<UserId, Timestamp>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Shown {
    online: bool,
    in_call: bool,
}

type People = HashMap<UserId, String>;

impl PresenceBoard {
    /// Tells one connection about everybody else.
    pub(super) fn snapshot(
        &self,
        now: Moment,
        people: &People,
        calls: &Calls,
        devices: &mut Devices,
        (conn, reader): (ConnId, UserId),
    ) {
        let mut users: Vec<_> = people.keys().copied().filter(|user| *user != reader).collect();
        users.sort_unstable();
        for user in users {
            let payload = self.payload(now, people, user, shown(calls, devices, user));
            devices.write(conn, server_text(now, "presence", payload));
        }
    }

    /// Tells everybody else about one user, if something changed.
    pub(super) fn publish(
        &mut self,
        now: Moment,
        people: &People,
        calls: &Calls,
        devices: &mut Devices,
        user: UserId,
    ) {
        let new = shown(calls, devices, user);
        let old = self.published.insert(user, new).unwrap_or_default();
        if old == new {
            return;
        }
        if old.online && !new.online {
            self.last_seen.insert(user, now.wall);
        }
        let payload = self.payload(now, people, user, new);
        for (conn, reader) in devices.connections() {
            if reader != user {
                devices.write(conn, server_text(now, "presence", payload.clone()));
            }
        }
    }

    fn payload(&self, now: Moment, people: &People, user: UserId, shown: Shown) -> Value {
        let last_seen = if shown.online {
            Some(now.wall)
        } else {
            self.last_seen.get(&user).copied()
        };
        json!({
            "user_id": user.as_u64(),
            "username": people.get(&user),
            "is_online": shown.online,
            "last_seen": last_seen.map(time_text),
            "in_call": shown.in_call,
        })
    }
}

fn shown(calls: &Calls, devices: &Devices, user: UserId) -> Shown {
    Shown {
        online: devices.is_online(user),
        in_call: calls.of(user).is_some(),
    }
}
