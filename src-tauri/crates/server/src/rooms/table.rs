//! Who has which room, who calls whom, and what is passed on. Pure.
//!
//! It relays messages as they came and understands of them only what that takes. Unlike a MediaServer's own table it lets
//! nobody call the own room, takes a message about a call only from its two sides, and gives a room up with its socket.

#[cfg(test)]
mod tests;

use crate::switchboard::{Admission, CloseCode, ConnId, Frame, Gate, Limits, Output};
use ahoy_call::RoomId;
use ahoy_signaling::Secret;
use ahoy_signaling::zlm::own::{Own, Room};
use ahoy_signaling::zlm::wire::{Body, Bye, IceServer, Message, Rejected, Stream, Tour};
use ahoy_signaling::zlm::{MEDIA_SERVER_ROOM, WRONG_SECRET};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// Calls of one socket at once, those it makes and those it gets counted apart (chosen: a media server has many viewers).
const CALLS: usize = 1024;
/// Rooms that are listed (chosen: more are no list to choose from).
const LISTED: usize = 200;
/// Between two lists for the same sockets (chosen: quick enough to watch, slow enough for many who come at once).
const LIST_EVERY: Duration = Duration::from_secs(1);
/// How a MediaServer names what is wrong; other clients may look for these words.
const CONFLICT: &str = "room id conflict";
const REGISTER_FIRST: &str = "should register first";
const UNREGISTERED: &str = "unregistered";
const PEER_UNREGISTER: &str = "peer unregister";

/// Makes up what a socket may use of the relay, at a moment in unix seconds.
pub(crate) type Issue = Box<dyn Fn(ConnId, u64) -> Option<Issued> + Send>;

/// What somebody may use of the relay.
pub(crate) struct Issued {
    /// The first is for everybody, the others for who knows how to read them.
    pub(crate) urls: Vec<String>,
    pub(crate) username: String,
    pub(crate) credential: String,
    pub(crate) ttl: Duration,
}

/// A moment, by the two clocks that matter here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Since any beginning.
    pub(crate) since: Duration,
    /// Unix seconds.
    pub(crate) unix: u64,
}

/// All rooms of one server.
pub(crate) struct Table {
    limits: Limits,
    secret: Option<Secret>,
    issue: Issue,
    /// Makes the names of rooms and transactions that nobody else made.
    random: Box<dyn FnMut() -> String + Send>,
    conns: HashMap<ConnId, Conn>,
    rooms: BTreeMap<String, ConnId>,
    made_rooms: u64,
    /// When the rooms are told to who wants to know.
    list_at: Option<Duration>,
    last_list: Option<Duration>,
    outputs: VecDeque<Output>,
}

#[derive(Default)]
struct Conn {
    room: Option<Place>,
    /// It has shown the server's secret.
    trusted: bool,
    /// It wants to know of other rooms.
    lists: bool,
    /// Who calls this room, by guest id.
    guests: HashMap<String, ConnId>,
    /// Whom this socket calls, by guest id.
    tours: HashMap<String, String>,
    gate: Gate,
}

/// The room of a socket.
struct Place {
    id: String,
    /// Made up, and known only to whom it was told.
    hidden: bool,
}

impl Table {
    pub(crate) fn new(
        limits: Limits,
        secret: Option<Secret>,
        issue: Issue,
        random: Box<dyn FnMut() -> String + Send>,
    ) -> Self {
        Self {
            limits,
            secret,
            issue,
            random,
            conns: HashMap::new(),
            rooms: BTreeMap::new(),
            made_rooms: 0,
            list_at: None,
            last_list: None,
            outputs: VecDeque::new(),
        }
    }

    /// A socket is open. `secret` is what its address carried.
    pub(crate) fn handle_connected(&mut self, conn: ConnId, secret: Option<&str>) {
        let trusted = self.is_trusted(secret);
        let fresh = Conn {
            trusted,
            ..Conn::default()
        };
        self.conns.insert(conn, fresh);
    }

    /// A socket is closed: its room is free, and both sides of its calls are told.
    pub(crate) fn handle_disconnected(&mut self, now: Now, conn: ConnId) {
        self.give_room_up(now, conn);
        self.conns.remove(&conn);
    }

    /// One text of a socket. What cannot be read, or has something missing, is dropped in silence.
    pub(crate) fn handle_text(&mut self, now: Now, conn: ConnId, text: String) {
        let Some(known) = self.conns.get_mut(&conn) else {
            return;
        };
        match known.gate.admit(now.since, &self.limits) {
            Admission::Passes => {}
            Admission::Over(_) => return,
            Admission::Floods => {
                let frame = Frame::Close(CloseCode::FLOODING);
                return self.outputs.push_back(Output { conn, frame });
            }
        }
        let message = match Message::read_strictly(&text) {
            Ok(message) => message,
            Err(error) => return tracing::debug!(%error, "message dropped"),
        };
        let own = Own::of(&message.extra);
        let transaction = message.transaction_id;
        match message.body {
            Body::Register { room_id } => self.register(now, conn, transaction, room_id, own),
            Body::Unregister { room_id } => self.unregister(now, conn, transaction, room_id),
            Body::Call(call) => self.call(now, conn, transaction, &call.tour, call.stream, call.kind, text),
            Body::CallAccepted(answer) => {
                self.answer(conn, &transaction, &answer.tour, text);
            }
            Body::Rejected(rejected) => {
                // Only a callee's answer to a call; anything else is the server's own word.
                if let (Some("call"), Some(guest_id), Some(room_id)) =
                    (rejected.method.as_deref(), rejected.guest_id, rejected.room_id)
                {
                    let tour = Tour { guest_id, room_id };
                    if self.answer(conn, &transaction, &tour, text) {
                        self.forget(now, &tour);
                    }
                }
            }
            Body::Candidate(candidate) => {
                self.indicate(conn, &transaction, "candidate", &candidate.tour, text);
            }
            Body::Bye(bye) => {
                if self.indicate(conn, &transaction, "bye", &bye.tour, text) {
                    self.forget(now, &bye.tour);
                }
            }
            Body::Registered { .. } | Body::Unregistered { .. } | Body::Other { .. } => {}
        }
    }

    /// Tells the rooms if that is due.
    pub(crate) fn handle_timeout(&mut self, now: Now) {
        if self.list_at.take_if(|at| *at <= now.since).is_none() {
            return;
        }
        self.last_list = Some(now.since);
        let readers = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.lists && conn.room.is_some());
        let readers: Vec<ConnId> = readers.map(|(conn, _)| *conn).collect();
        if readers.is_empty() {
            return;
        }
        let rooms = self.list();
        for conn in readers {
            let own = Own {
                rooms: Some(rooms.clone()),
                ..Own::default()
            };
            let body = Body::Other {
                class: "indication".to_owned(),
                method: "rooms".to_owned(),
            };
            let transaction = (self.random)();
            self.say(
                conn,
                &Message {
                    extra: own.into_extra(),
                    ..Message::new(transaction, body)
                },
            );
        }
    }

    /// When to call [`Table::handle_timeout`], since the same beginning.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.list_at
    }

    /// What is to be sent, in order.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Rooms and calls, for the metrics.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (
            self.rooms.len(),
            self.conns.values().map(|conn| conn.tours.len()).sum(),
        )
    }

    fn is_trusted(&self, secret: Option<&str>) -> bool {
        use subtle::ConstantTimeEq;
        match (&self.secret, secret) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => ours.expose().as_bytes().ct_eq(theirs.as_bytes()).into(),
        }
    }

    fn register(
        &mut self,
        now: Now,
        conn: ConnId,
        transaction: String,
        wished: Option<String>,
        own: Option<Own>,
    ) {
        let shown = own.as_ref().and_then(|own| own.room_secret.as_deref());
        let trusted = self.is_trusted(shown);
        let Some(known) = self.conns.get_mut(&conn) else {
            return;
        };
        known.trusted |= trusted;
        let mut reason = None;
        let hidden = wished
            .as_deref()
            .is_none_or(|room| room.starts_with(MEDIA_SERVER_ROOM));
        let room_id = match wished {
            _ if !known.trusted => {
                reason = Some(WRONG_SECRET);
                wished.unwrap_or_default()
            }
            Some(room) => {
                let again = known.room.as_ref().is_some_and(|place| place.id == room) && own.is_some();
                let free = known.room.is_none() && !self.rooms.contains_key(&room);
                if RoomId::new(room.as_str()).is_err() {
                    reason = Some("room id is too long or has a control character");
                } else if !again && !free {
                    reason = Some(CONFLICT);
                }
                room
            }
            None if known.room.is_some() => {
                reason = Some(CONFLICT);
                String::new()
            }
            None => {
                self.made_rooms += 1;
                format!("{}_{}", self.made_rooms, (self.random)())
            }
        };
        if let Some(reason) = reason {
            let rejected = Rejected {
                method: Some("register".to_owned()),
                room_id: Some(room_id).filter(|room| !room.is_empty()),
                ..Rejected::default()
            };
            return self.reject(conn, &transaction, rejected, reason);
        }
        known.lists |= own.as_ref().is_some_and(|own| own.list);
        if known.room.is_none() {
            known.room = Some(Place {
                id: room_id.clone(),
                hidden,
            });
            self.rooms.insert(room_id.clone(), conn);
            self.list_changed(now);
        }
        self.accept_register(now, conn, transaction, room_id, own.is_some());
    }

    fn accept_register(
        &mut self,
        now: Now,
        conn: ConnId,
        transaction: String,
        room_id: String,
        is_ours: bool,
    ) {
        let issued = (self.issue)(conn, now.unix);
        // A MediaServer that registers takes the last entry, and knows UDP alone: there is one.
        let ice_servers = issued.as_ref().and_then(|issued| {
            Some(IceServer {
                url: issued.urls.first()?.clone(),
                ufrag: issued.username.clone(),
                pwd: Secret::new(issued.credential.as_str()),
            })
        });
        let ice_servers = ice_servers.into_iter().collect();
        let mut message = Message::new(transaction, Body::Registered { room_id, ice_servers });
        if is_ours {
            let own = Own {
                ttl: issued.as_ref().map(|issued| issued.ttl.as_secs()),
                relay_urls: issued
                    .into_iter()
                    .flat_map(|issued| issued.urls)
                    .skip(1)
                    .collect(),
                rooms: Some(self.list()),
                ..Own::default()
            };
            message.extra = own.into_extra();
        }
        self.say(conn, &message);
    }

    fn unregister(&mut self, now: Now, conn: ConnId, transaction: String, room_id: String) {
        let own = self.conns.get(&conn).and_then(|conn| conn.room.as_ref());
        let reason = match own {
            Some(own) if own.id == room_id => {
                let done = Body::Unregistered { room_id };
                self.say(conn, &Message::new(transaction, done));
                return self.give_room_up(now, conn);
            }
            Some(own) => format!("room_id: \"{room_id}\" not match room_id:{}", own.id),
            None => UNREGISTERED.to_owned(),
        };
        let rejected = Rejected {
            method: Some("unregister".to_owned()),
            room_id: Some(room_id),
            ..Rejected::default()
        };
        self.reject(conn, &transaction, rejected, &reason);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of one message, whose text goes on as it came"
    )]
    fn call(
        &mut self,
        now: Now,
        conn: ConnId,
        transaction: String,
        tour: &Tour,
        stream: Stream,
        kind: String,
        text: String,
    ) {
        let Tour { guest_id, room_id } = tour;
        let callee = self.rooms.get(room_id).copied();
        let Some(caller) = self.conns.get(&conn) else {
            return;
        };
        let taken = callee.and_then(|callee| self.conns.get(&callee)).map(|callee| {
            let by_another = callee.guests.get(guest_id).is_some_and(|guest| *guest != conn);
            let full = callee.guests.len() >= CALLS || caller.tours.len() >= CALLS;
            (by_another, full && !callee.guests.contains_key(guest_id))
        });
        let reason = match (&caller.room, callee, taken) {
            (None, ..) => REGISTER_FIRST.to_owned(),
            (Some(_), Some(callee), _) if callee == conn => "the own room cannot be called".to_owned(),
            (Some(_), Some(_), Some((true, _))) => "guest id conflict".to_owned(),
            (Some(_), Some(_), Some((_, true))) => "too many calls".to_owned(),
            (Some(_), Some(callee), _) => {
                if let Some(caller) = self.conns.get_mut(&conn) {
                    caller.tours.insert(guest_id.clone(), room_id.clone());
                }
                if let Some(owner) = self.conns.get_mut(&callee) {
                    owner.guests.insert(guest_id.clone(), conn);
                }
                self.list_changed(now);
                return self.pass_on(callee, text);
            }
            (Some(_), None, _) => format!("room_id: \"{room_id}\" {UNREGISTERED}"),
        };
        let rejected = Rejected {
            method: Some("call".to_owned()),
            room_id: Some(room_id.clone()),
            guest_id: Some(guest_id.clone()),
            stream: Some(stream),
            kind: Some(kind),
            reason: None,
        };
        self.reject(conn, &transaction, rejected, &reason);
    }

    /// Accept and reject of a call: from the room's owner to the guest; whether it was of that owner.
    fn answer(&mut self, conn: ConnId, transaction: &str, tour: &Tour, text: String) -> bool {
        let Some(owner) = self.conns.get(&conn) else {
            return false;
        };
        match &owner.room {
            None => {
                let rejected = Rejected {
                    room_id: Some(tour.room_id.clone()),
                    ..Rejected::default()
                };
                self.reject(conn, transaction, rejected, REGISTER_FIRST);
            }
            Some(room) if room.id == tour.room_id => {
                if let Some(guest) = owner.guests.get(&tour.guest_id).copied() {
                    self.pass_on(guest, text);
                    return true;
                }
            }
            Some(_) => {}
        }
        false
    }

    /// A candidate or a bye, from either side to the other; whether it was of one of them.
    fn indicate(&mut self, conn: ConnId, transaction: &str, method: &str, tour: &Tour, text: String) -> bool {
        let Some(sender) = self.conns.get(&conn) else {
            return false;
        };
        let other = match &sender.room {
            None => {
                let rejected = Rejected {
                    method: Some(method.to_owned()),
                    room_id: Some(tour.room_id.clone()),
                    ..Rejected::default()
                };
                self.reject(conn, transaction, rejected, REGISTER_FIRST);
                return false;
            }
            Some(room) if room.id == tour.room_id => sender.guests.get(&tour.guest_id).copied(),
            Some(_) if sender.tours.get(&tour.guest_id) == Some(&tour.room_id) => {
                self.rooms.get(&tour.room_id).copied()
            }
            Some(_) => None,
        };
        match other {
            Some(other) => self.pass_on(other, text),
            None => tracing::debug!(method, "message about no call of its sender dropped"),
        }
        other.is_some()
    }

    /// The call is over.
    fn forget(&mut self, now: Now, tour: &Tour) {
        let owner = self
            .rooms
            .get(&tour.room_id)
            .and_then(|owner| self.conns.get_mut(owner));
        let guest = owner.and_then(|owner| owner.guests.remove(&tour.guest_id));
        if let Some(caller) = guest.and_then(|guest| self.conns.get_mut(&guest)) {
            caller.tours.remove(&tour.guest_id);
        }
        self.list_changed(now);
    }

    fn give_room_up(&mut self, now: Now, conn: ConnId) {
        let Some(known) = self.conns.get_mut(&conn) else {
            return;
        };
        let Some(room) = known.room.take() else { return };
        let (guests, tours) = (
            std::mem::take(&mut known.guests),
            std::mem::take(&mut known.tours),
        );
        self.rooms.remove(&room.id);
        for (guest_id, caller) in guests {
            if let Some(caller) = self.conns.get_mut(&caller) {
                caller.tours.remove(&guest_id);
            }
            let room_id = room.id.clone();
            self.say_bye(caller, Tour { guest_id, room_id });
        }
        for (guest_id, room_id) in tours {
            let Some(owner) = self.rooms.get(&room_id).copied() else {
                continue;
            };
            if let Some(owner) = self.conns.get_mut(&owner) {
                owner.guests.remove(&guest_id);
            }
            self.say_bye(owner, Tour { guest_id, room_id });
        }
        self.list_changed(now);
    }

    fn say_bye(&mut self, conn: ConnId, tour: Tour) {
        let bye = Body::Bye(Bye {
            tour,
            reason: Some(PEER_UNREGISTER.to_owned()),
        });
        let transaction = (self.random)();
        self.say(conn, &Message::new(transaction, bye));
    }

    fn reject(&mut self, conn: ConnId, transaction: &str, rejected: Rejected, reason: &str) {
        let rejected = Rejected {
            reason: Some(reason.to_owned()),
            ..rejected
        };
        self.say(conn, &Message::new(transaction, Body::Rejected(rejected)));
    }

    fn say(&mut self, conn: ConnId, message: &Message) {
        self.pass_on(conn, message.to_text());
    }

    fn pass_on(&mut self, conn: ConnId, text: String) {
        let frame = Frame::Text(text);
        self.outputs.push_back(Output { conn, frame });
    }

    fn list_changed(&mut self, now: Now) {
        let earliest = self.last_list.map_or(now.since, |last| last + LIST_EVERY);
        self.list_at.get_or_insert(earliest.max(now.since));
    }

    /// The rooms that are no secret of whom they were told.
    fn list(&self) -> Vec<Room> {
        let listed = self.rooms.iter().filter_map(|(room_id, conn)| {
            let owner = self.conns.get(conn)?;
            let hidden = owner.room.as_ref().is_none_or(|room| room.hidden);
            (!hidden).then(|| Room {
                room_id: room_id.clone(),
                busy: !owner.guests.is_empty() || !owner.tours.is_empty(),
            })
        });
        listed.take(LISTED).collect()
    }
}
