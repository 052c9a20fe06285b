use super::*;
use crate::zlm::own::FIELD;
use ahoy_call::{
    CallId, Candidate, Constraints, EndDetail, EndReason, Offer, Purpose, RefusalCode, StreamCall,
};
use serde_json::{Value, json};

mod calls;
mod link;
mod loss;

const SECOND: Duration = Duration::from_secs(1);
/// The random part of [`call`].
const RANDOM: &str = "07070707070707070707070707070707";
const SDP: &str = "v=0\r\na=ice-ufrag:uu\r\na=ice-pwd:pp\r\nm=audio 9 X 111\r\n";

/// A session of the room `bob` with its own clock.
struct Bench {
    session: Session,
    now: Instant,
}

fn room(name: &str) -> RoomId {
    RoomId::new(name).expect("a room")
}

fn call() -> CallId {
    CallId::from_random([7; 16])
}

fn wall() -> Timestamp {
    "2025-10-07T12:00:00Z".parse().expect("time")
}

fn offer() -> Offer {
    Offer {
        call: call(),
        from: Party::Room(room("bob")),
        to: Party::Room(room("alice")),
        video: false,
        sdp: SDP.to_owned(),
        candidates: Vec::new(),
        constraints: Constraints::default(),
        negotiation: 0,
        expires_in: None,
        caller_name: None,
        stream: None,
    }
}

fn answer(negotiation: Option<u32>) -> Signal {
    Signal::Answer {
        call: call(),
        sdp: SDP.to_owned(),
        candidates: Vec::new(),
        constraints: None,
        negotiation,
    }
}

fn end(reason: EndReason) -> Signal {
    Signal::End {
        call: call(),
        reason,
        detail: None,
    }
}

/// `request call` of the room `alice` to `bob`, by another Ahoy or by somebody else.
fn request(transaction: &str, own: Option<Value>) -> Value {
    let mut message = json!({
        "class": "request", "method": "call", "transaction_id": transaction, "guest_id": format!("alice_{RANDOM}"),
        "room_id": "bob", "type": "call", "vhost": "__defaultVhost__", "app": "call", "stream": "main",
        "sdp": "v=0\r\nm=audio 9 X 0\r\nm=video 9 X 96"
    });
    if let Some(own) = own {
        message[FIELD] = own;
    }
    message
}

/// A message about the call that `bob` made to `alice`.
fn about_own(class: &str, method: &str, rest: Value) -> Value {
    let mut message = json!({
        "class": class, "method": method, "transaction_id": "t", "guest_id": format!("bob_{RANDOM}"), "room_id": "alice",
        "vhost": "__defaultVhost__", "app": "call", "stream": "main", "type": "call"
    });
    for (name, value) in rest.as_object().expect("an object") {
        message[name] = value.clone();
    }
    message
}

impl Bench {
    fn new() -> Self {
        let config = SessionConfig {
            room: Some(room("bob")),
            ..SessionConfig::default()
        };
        Self {
            session: Session::new(config),
            now: Instant::now(),
        }
    }

    /// Registered.
    fn ready() -> Self {
        let mut bench = Self::new();
        bench.register();
        bench.events();
        bench
    }

    /// Has called `alice`; returns the request.
    fn calling() -> (Self, Value) {
        let mut bench = Self::ready();
        bench.say(Signal::Offer(Box::new(offer())));
        let [request] = &bench.sent()[..] else {
            panic!("one request");
        };
        (bench, request.clone())
    }

    /// Has called `alice`, who answered; `own` is what her answer shows.
    fn talking(own: Option<Value>) -> Self {
        let (mut bench, request) = Self::calling();
        bench.text(accept(&request, own));
        assert_eq!(bench.signals().len(), 1);
        bench
    }

    /// Was called by another Ahoy and answered.
    fn answered() -> Self {
        let mut bench = Self::ready();
        bench.text(request("t1", Some(json!({}))));
        bench.say(answer(None));
        bench.events();
        bench.sent();
        bench
    }

    fn connect(&mut self) -> Value {
        self.session.handle_connected(self.now);
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent[0].clone()
    }

    fn register(&mut self) {
        let asked = self.connect();
        self.text(json!({
            "class": "accept", "method": "register", "transaction_id": asked["transaction_id"], "room_id": "bob",
            "ice_servers": [{"url": "turn:10.77.0.1:3478?transport=udp", "ufrag": "name", "pwd": "word"}]
        }));
    }

    fn lose_link(&mut self) {
        self.session.handle_disconnected(self.now);
    }

    fn text(&mut self, message: Value) {
        self.session.handle_text(self.now, &message.to_string());
    }

    fn say(&mut self, signal: Signal) {
        self.session
            .handle_signal(self.now, wall(), signal)
            .expect("it can be said");
    }

    /// Lets time pass, waking the session whenever it asks.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
        }
        self.now = end;
    }

    /// Lets time pass while the server answers pings.
    fn pass_alive(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.session.handle_alive(self.now);
            self.pass(SECOND);
        }
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    fn signals(&mut self) -> Vec<Signal> {
        let signal = |event| match event {
            Event::Signal(signal) => Some(signal),
            _ => None,
        };
        self.events().into_iter().filter_map(signal).collect()
    }

    fn sent(&mut self) -> Vec<Value> {
        let texts = std::iter::from_fn(|| self.session.poll_text());
        texts
            .map(|text| serde_json::from_str(&text).expect("JSON"))
            .collect()
    }
}

fn accept(request: &Value, own: Option<Value>) -> Value {
    let mut message = request.clone();
    message["class"] = "accept".into();
    message["sdp"] = "v=0\r\nm=audio 9 X 0".into();
    match own {
        Some(own) => message[FIELD] = own,
        None => {
            message.as_object_mut().expect("an object").remove(FIELD);
        }
    }
    message
}

fn reject(request: &Value, reason: &str, own: Option<Value>) -> Value {
    let mut message = accept(request, own);
    message["class"] = "reject".into();
    message["reason"] = reason.into();
    message
}
