//! Who is connected with which device, and what is to be written to which connection.
//!
//! A device whose socket broke in a call stays here as *away*, with what is sent to it meanwhile, until it returns or its
//! time is over. Nothing here knows what a call is.

use super::backlog::Backlog;
use super::deadlines::Deadlines;
use super::limits::{Admission, Gate, Limits};
use super::message::Kind;
use super::{CloseCode, ConnId, DeviceId, Frame, Output, pairs};
use ahoy_call::UserId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

/// Connections of one user (IM-Suite §1.6).
const MAX_CONNECTIONS: usize = 10;

/// One device of one user.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct DeviceKey {
    pub(super) user: UserId,
    pub(super) device: DeviceId,
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.user, self.device.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Away {
    since: Duration,
    /// `None` when it has overflowed: the absence is over then.
    backlog: Option<Backlog>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Connection {
    key: DeviceKey,
    gate: Gate,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Devices {
    connections: BTreeMap<ConnId, Connection>,
    /// The same by user: seldom more than one, never more than [`MAX_CONNECTIONS`].
    attached: BTreeMap<UserId, Vec<(DeviceId, ConnId)>>,
    #[serde(with = "pairs")]
    away: BTreeMap<DeviceKey, Away>,
    /// When the devices that are away are given up.
    deadlines: Deadlines<DeviceKey>,
    output: VecDeque<Output>,
    changed: BTreeSet<UserId>,
}

impl Devices {
    /// Puts a device on a connection and gives what waited for it.
    pub(super) fn attach(&mut self, conn: ConnId, key: &DeviceKey) -> Option<Backlog> {
        self.attached
            .entry(key.user)
            .or_default()
            .push((key.device.clone(), conn));
        let connection = Connection {
            key: key.clone(),
            gate: Gate::default(),
        };
        self.connections.insert(conn, connection);
        self.changed.insert(key.user);
        self.deadlines.clear(key);
        self.away.remove(key).and_then(|away| away.backlog)
    }

    /// Forgets a connection; `None` when it is not attached any more.
    pub(super) fn detach(&mut self, conn: ConnId) -> Option<DeviceKey> {
        let Connection { key, .. } = self.connections.remove(&conn)?;
        if let Some(devices) = self.attached.get_mut(&key.user) {
            devices.retain(|(_, own)| *own != conn);
            if devices.is_empty() {
                self.attached.remove(&key.user);
            }
        }
        self.changed.insert(key.user);
        Some(key)
    }

    /// Keeps the place of a detached device.
    pub(super) fn keep(&mut self, key: &DeviceKey, since: Duration, until: Duration) {
        self.deadlines.set(key, until);
        self.away.insert(
            key.clone(),
            Away {
                since,
                backlog: Some(Backlog::default()),
            },
        );
    }

    /// Moves the end of an absence, given its beginning; without effect on a device that is not away.
    pub(super) fn postpone(&mut self, key: &DeviceKey, deadline: impl FnOnce(Duration) -> Duration) {
        if let Some(away) = self.away.get(key) {
            self.deadlines.set(key, deadline(away.since));
        }
    }

    /// Gives up the place of a device that is away.
    pub(super) fn give_up(&mut self, key: &DeviceKey) {
        self.away.remove(key);
        self.deadlines.clear(key);
    }

    /// Gives up the places of all devices of a user that are away.
    pub(super) fn give_up_all(&mut self, user: UserId) {
        let away = self.away.keys().filter(|key| key.user == user);
        for key in away.cloned().collect::<Vec<_>>() {
            self.give_up(&key);
        }
    }

    pub(super) fn owner(&self, conn: ConnId) -> Option<&DeviceKey> {
        self.connections.get(&conn).map(|connection| &connection.key)
    }

    /// Counts one message of a connection.
    pub(super) fn admit(&mut self, conn: ConnId, now: Duration, limits: &Limits) -> Option<Admission> {
        let connection = self.connections.get_mut(&conn)?;
        Some(connection.gate.admit(now, limits))
    }

    pub(super) fn connection(&self, key: &DeviceKey) -> Option<ConnId> {
        let devices = self.attached.get(&key.user)?;
        let (_, conn) = devices.iter().find(|(device, _)| *device == key.device)?;
        Some(*conn)
    }

    pub(super) fn is_online(&self, user: UserId) -> bool {
        self.attached.contains_key(&user)
    }

    pub(super) fn is_full(&self, user: UserId) -> bool {
        self.attached
            .get(&user)
            .is_some_and(|devices| devices.len() >= MAX_CONNECTIONS)
    }

    pub(super) fn is_anybody_here(&self) -> bool {
        !self.connections.is_empty()
    }

    /// The connected devices of a user.
    pub(super) fn attached(&self, user: UserId) -> Vec<DeviceKey> {
        let devices = self.attached.get(&user).into_iter().flatten();
        devices
            .map(|(device, _)| DeviceKey {
                user,
                device: device.clone(),
            })
            .collect()
    }

    /// The connections of a user.
    pub(super) fn connections(&self, user: UserId) -> Vec<ConnId> {
        let devices = self.attached.get(&user).into_iter().flatten();
        devices.map(|(_, conn)| *conn).collect()
    }

    /// Since when a device is away; `None` when it is not, or its backlog has overflowed.
    pub(super) fn away_since(&self, key: &DeviceKey) -> Option<Duration> {
        self.away
            .get(key)
            .filter(|away| away.backlog.is_some())
            .map(|away| away.since)
    }

    /// Writes to a connected device, keeps for one that is away, drops for any other.
    pub(super) fn send(&mut self, key: &DeviceKey, kind: Kind, text: String) {
        if let Some(conn) = self.connection(key) {
            self.write(conn, text);
        } else if let Some(away) = self.away.get_mut(key)
            && let Some(backlog) = &mut away.backlog
            && backlog.push(kind, text).is_err()
        {
            away.backlog = None;
            self.deadlines.set(key, away.since);
        }
    }

    pub(super) fn write(&mut self, conn: ConnId, text: String) {
        self.output.push_back(Output {
            conn,
            frame: Frame::Text(text),
        });
    }

    pub(super) fn close(&mut self, conn: ConnId, code: CloseCode) {
        self.output.push_back(Output {
            conn,
            frame: Frame::Close(code),
        });
    }

    /// Closes every connection and forgets every device.
    pub(super) fn close_all(&mut self, code: CloseCode) {
        for conn in std::mem::take(&mut self.connections).into_keys() {
            self.close(conn, code);
        }
        self.attached.clear();
        self.away.clear();
        self.deadlines = Deadlines::default();
    }

    /// A device whose absence is over.
    pub(super) fn overdue(&self, now: Duration) -> Option<DeviceKey> {
        self.deadlines.overdue(now)
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.next()
    }

    /// The users whose devices came or went since the last call.
    pub(super) fn take_changed(&mut self) -> BTreeSet<UserId> {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }
}
