//! What people are told about each other: the `presence` message of IM-Suite §11, a hint for display.
//!
//! Who is told about whom is in `people.rs`.

use super::calls::Calls;
use super::devices::Devices;
use super::message::{server_text, time_text};
use super::people::People;
use super::{ConnId, Moment, Person};
use ahoy_call::UserId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PresenceBoard {
    /// Those who are not shown as offline.
    published: BTreeMap<UserId, Shown>,
    last_seen: BTreeMap<UserId, Timestamp>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Shown {
    online: bool,
    in_call: bool,
}

/// The names of some people and who is told about them.
#[derive(Debug)]
pub(super) struct Views(BTreeMap<UserId, (Option<String>, Vec<UserId>)>);

impl PresenceBoard {
    /// Tells one connection about everybody who shows themselves to its user.
    pub(super) fn snapshot(
        &self,
        now: Moment,
        people: &People,
        calls: &Calls,
        devices: &mut Devices,
        (conn, reader): (ConnId, UserId),
    ) {
        for user in people.shown_to(reader) {
            let payload = self.payload(now, people, user, shown(calls, devices, user));
            devices.write(conn, server_text(now, "presence", payload));
        }
    }

    /// Tells others about one user, if something changed.
    pub(super) fn publish(
        &mut self,
        now: Moment,
        people: &People,
        calls: &Calls,
        devices: &mut Devices,
        user: UserId,
    ) {
        let new = shown(calls, devices, user);
        let old = if new == Shown::default() {
            self.published.remove(&user)
        } else {
            self.published.insert(user, new)
        }
        .unwrap_or_default();
        if old == new {
            return;
        }
        if old.online && !new.online {
            self.last_seen.insert(user, now.wall);
        }
        let payload = self.payload(now, people, user, new);
        write_to(now, devices, &people.readers(user), payload);
    }

    /// Who sees what of those who are about to change.
    pub(super) fn views(&self, people: &People, changing: &[Person]) -> Views {
        let subjects = people.affected_by(changing);
        Views(
            subjects
                .into_iter()
                .map(|subject| {
                    let name = people.name(subject).map(str::to_owned);
                    (subject, (name, people.readers(subject)))
                })
                .collect(),
        )
    }

    /// Tells those who see somebody new, or by a new name, and takes back what they do not see any more.
    pub(super) fn publish_changed_views(
        &self,
        now: Moment,
        people: &People,
        calls: &Calls,
        devices: &mut Devices,
        before: Views,
    ) {
        for (subject, (old_name, old_readers)) in before.0 {
            let readers = people.readers(subject);
            let is_renamed = people.name(subject) != old_name.as_deref();
            let newly = readers
                .iter()
                .filter(|reader| is_renamed || old_readers.binary_search(reader).is_err());
            let payload = self.payload(now, people, subject, shown(calls, devices, subject));
            write_to(now, devices, newly, payload);
            let no_longer = old_readers
                .iter()
                .filter(|reader| readers.binary_search(reader).is_err());
            let hidden = json!({ "user_id": subject.as_u64(), "is_online": false, "in_call": false });
            write_to(now, devices, no_longer, hidden);
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
            "username": people.name(user),
            "is_online": shown.online,
            "last_seen": last_seen.map(time_text),
            "in_call": shown.in_call,
        })
    }
}

fn write_to<'a>(
    now: Moment,
    devices: &mut Devices,
    readers: impl IntoIterator<Item = &'a UserId>,
    payload: Value,
) {
    let text = server_text(now, "presence", payload);
    for reader in readers {
        for conn in devices.connections(*reader) {
            devices.write(conn, text.clone());
        }
    }
}

fn shown(calls: &Calls, devices: &Devices, user: UserId) -> Shown {
    Shown {
        online: devices.is_online(user),
        in_call: calls.of(user).is_some(),
    }
}
