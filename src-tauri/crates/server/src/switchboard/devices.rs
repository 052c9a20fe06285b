//! Who is connected with which device, and what is to be written to which connection.
//!
//! A device whose socket broke in a call stays here as *away*, with what is sent to it meanwhile, until it returns or its
//! time is over. Nothing here knows what a call is.

use super::backlog::Backlog;
use super::message::Kind;
use super::{CloseCode, ConnId, DeviceId, Frame, Output};
use ahoy_call::UserId;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::time::Instant;

/// One device of one user.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct DeviceKey {
    pub(super) user: UserId,
    pub(super) device: DeviceId,
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.user, self.device.as_str())
    }
}

#[derive(Debug)]
struct Away {
    since: Instant,
    until: Instant,
    /// `None` when it has overflowed: the absence is over then.
    backlog: Option<Backlog>,
}

#[derive(Debug, Default)]
pub(super) struct Devices {
    attached: BTreeMap<UserId, BTreeMap<DeviceId, ConnId>>,
    away: BTreeMap<DeviceKey, Away>,
    owners: HashMap<ConnId, DeviceKey>,
    output: VecDeque<Output>,
    changed: BTreeSet<UserId>,
}

impl Devices {
    /// Puts a device on a connection and gives what waited for it.
    pub(super) fn attach(&mut self, conn: ConnId, key: &DeviceKey) -> Option<Backlog> {
        self.attached
            .entry(key.user)
            .or_default()
            .insert(key.device.clone(), conn);
        self.owners.insert(conn, key.clone());
        self.changed.insert(key.user);
        self.away.remove(key).and_then(|away| away.backlog)
    }

    /// Forgets a connection; `None` when it is not attached any more.
    pub(super) fn detach(&mut self, conn: ConnId) -> Option<DeviceKey> {
        let key = self.owners.remove(&conn)?;
        if let Some(devices) = self.attached.get_mut(&key.user) {
            devices.remove(&key.device);
            if devices.is_empty() {
                self.attached.remove(&key.user);
            }
        }
        self.changed.insert(key.user);
        Some(key)
    }

    /// Keeps the place of a detached device.
    pub(super) fn keep(&mut self, key: &DeviceKey, since: Instant, until: Instant) {
        self.away.insert(
            key.clone(),
            Away {
                since,
                until,
                backlog: Some(Backlog::default()),
            },
        );
    }

    /// Moves the end of an absence, given its beginning; without effect on a device that is not away.
    pub(super) fn postpone(&mut self, key: &DeviceKey, deadline: impl FnOnce(Instant) -> Instant) {
        if let Some(away) = self.away.get_mut(key) {
            away.until = deadline(away.since);
        }
    }

    /// Gives up the place of a device that is away.
    pub(super) fn give_up(&mut self, key: &DeviceKey) {
        self.away.remove(key);
    }

    pub(super) fn owner(&self, conn: ConnId) -> Option<&DeviceKey> {
        self.owners.get(&conn)
    }

    pub(super) fn connection(&self, key: &DeviceKey) -> Option<ConnId> {
        self.attached.get(&key.user)?.get(&key.device).copied()
    }

    pub(super) fn is_online(&self, user: UserId) -> bool {
        self.attached.contains_key(&user)
    }

    /// The connected devices of a user.
    pub(super) fn attached(&self, user: UserId) -> Vec<DeviceKey> {
        let devices = self.attached.get(&user).into_iter().flat_map(BTreeMap::keys);
        devices
            .map(|device| DeviceKey {
                user,
                device: device.clone(),
            })
            .collect()
    }

    /// Every connection with its user.
    pub(super) fn connections(&self) -> Vec<(ConnId, UserId)> {
        self.owners.iter().map(|(conn, key)| (*conn, key.user)).collect()
    }

    /// Since when a device is away; `None` when it is not, or its backlog has overflowed.
    pub(super) fn away_since(&self, key: &DeviceKey) -> Option<Instant> {
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
            away.until = away.since;
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
        for conn in std::mem::take(&mut self.owners).into_keys() {
            self.close(conn, code);
        }
        self.attached.clear();
        self.away.clear();
    }

    /// A device whose absence is over.
    pub(super) fn overdue(&self, now: Instant) -> Option<DeviceKey> {
        self.away
            .iter()
            .find(|(_, away)| away.until <= now)
            .map(|(key, _)| key.clone())
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.away.values().map(|away| away.until).min()
    }

    /// The users whose devices came or went since the last call.
    pub(super) fn take_changed(&mut self) -> BTreeSet<UserId> {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }
}
