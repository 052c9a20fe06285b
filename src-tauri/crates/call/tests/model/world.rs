//! Two endpoints, their users, their links to the server and the network between them, under a virtual clock.

use crate::audit::Audit;
use crate::rng::Rng;
use crate::server::{Delivery, Server};
use crate::transport::{TICK, Transport};
use ahoy_call::*;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// What goes wrong in a run.
///
/// A link is a WebSocket: signals of one call keep their order, signals of different calls may overtake. A link that
/// breaks loses what is under way in both directions. After it is back, the session says its offers, answers and ends
/// of the last [`UNSURE`] once more, because it cannot know them delivered (IM-Suite §9); nothing else is repaired.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    pub basic: bool,
    /// Links break and come back.
    pub breaks: bool,
    /// One link, both links or all networks stay dead from some moment on.
    pub dies: bool,
    /// Media does not flow for a while.
    pub outages: bool,
    /// The server restarts and knows nothing any more.
    pub restarts: bool,
    /// Signals come twice, at any later time.
    pub repeats: bool,
    /// Peer connections and media fail, or never say a word.
    pub failures: bool,
    /// Addresses vanish, so that only a restart finds a new path.
    pub moves: bool,
    /// The other side says words to a ringing callee that open nothing (GOALS S1).
    pub forged: bool,
}

impl Faults {
    /// Every signal arrives, once or more, at a server that keeps its calls.
    pub fn nothing_is_lost(&self) -> bool {
        !(self.breaks || self.dies || self.restarts)
    }
}

const UNSURE: Duration = Duration::from_secs(10);
/// When the users stop doing things.
const QUIET_AFTER: Duration = Duration::from_secs(70);
/// By then every timer has had its turn: ring 35 s, connect 30 s, reconnect 30 s, one after the other.
const SETTLED_AFTER: Duration = Duration::from_secs(70 + 35 + 30 + 30 + 60);

#[derive(Debug)]
enum Event {
    AtServer {
        from: usize,
        epoch: u32,
        signal: Signal,
    },
    AtClient {
        to: usize,
        epoch: u32,
        signal: Signal,
    },
    Peer {
        side: usize,
        call: CallId,
        input: PeerInput,
    },
    Described {
        side: usize,
        call: CallId,
    },
    LinkDown {
        side: usize,
        for_good: bool,
    },
    LinkUp {
        side: usize,
    },
    Network {
        up: bool,
    },
    Restart,
    Moves {
        side: usize,
    },
    User {
        side: usize,
    },
    Forgery {
        to: usize,
    },
    Tick,
}

struct Side {
    endpoint: Endpoint,
    audit: Audit,
    online: bool,
    dead: bool,
    /// One more after each break; what was sent in an older one is lost.
    epoch: u32,
    /// Offers, answers and ends of the last seconds.
    unsure: Vec<(Instant, Signal)>,
    placed: u32,
}

pub struct World {
    now: Instant,
    start: Instant,
    rng: Rng,
    faults: Faults,
    sides: [Side; 2],
    server: Server,
    transport: Transport,
    events: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    /// The last moment at which a signal of a call arrives in a direction.
    last: HashMap<(usize, bool, CallId), Instant>,
    ticking: bool,
    /// Descriptions made so far, so that no two are the same.
    descriptions: u64,
    pub restarts_applied: u64,
    pub in_band_ends: u64,
    pub video_changes: u64,
    pub signaling_lost: u64,
}

/// What the peer connections of the model say to each other in a re-offer or its answer.
#[derive(Debug, Clone, Copy)]
struct Described {
    /// A restart, made when addresses had vanished so often.
    moves: Option<u32>,
    video: Direction,
}

impl Described {
    fn write(self, number: u64) -> String {
        let moves = self.moves.map_or("none".to_owned(), |moves| moves.to_string());
        let (sends, receives) = (self.video.sends(), self.video.receives());
        format!("again {number} {moves} {sends} {receives}")
    }

    /// `None` for the description of a first negotiation.
    fn read(sdp: &str) -> Option<Self> {
        let words: Vec<&str> = sdp.strip_prefix("again ")?.split(' ').collect();
        Some(Self {
            moves: words[1].parse().ok(),
            video: Direction::of(words[2] == "true", words[3] == "true"),
        })
    }
}

fn user(side: usize) -> Party {
    Party::User(UserId::new(side as u64 + 1).expect("1 or 2"))
}

impl World {
    pub fn new(start: Instant, mut rng: Rng, faults: Faults) -> Self {
        let side = |me| Side {
            endpoint: Endpoint::new(EndpointConfig {
                me: user(me),
                ring_timeout: Duration::from_secs(30),
                basic_mode: faults.basic,
            }),
            audit: Audit::default(),
            online: true,
            dead: false,
            epoch: 0,
            unsure: Vec::new(),
            placed: 0,
        };
        let together = rng.chance(40);
        let mut world = Self {
            now: start,
            start,
            faults,
            sides: [side(0), side(1)],
            server: Server::new(faults.basic),
            transport: Transport::default(),
            events: BTreeMap::new(),
            sequence: 0,
            last: HashMap::new(),
            ticking: false,
            descriptions: 0,
            restarts_applied: 0,
            in_band_ends: 0,
            video_changes: 0,
            signaling_lost: 0,
            rng,
        };
        for side in 0..2 {
            let first = world.rng.ms(0, if together { 300 } else { 20_000 });
            world.after(first, Event::User { side });
        }
        world.plan_faults();
        world
    }

    fn plan_faults(&mut self) {
        let moment = |rng: &mut Rng| rng.ms(0, 60_000);
        if self.faults.breaks {
            for _ in 0..=self.rng.below(4) {
                let at = moment(&mut self.rng);
                let side = self.rng.below(2) as usize;
                self.after(
                    at,
                    Event::LinkDown {
                        side,
                        for_good: false,
                    },
                );
            }
        }
        if self.faults.restarts {
            let at = moment(&mut self.rng);
            self.after(at, Event::Restart);
        }
        if self.faults.moves {
            for _ in 0..=self.rng.below(3) {
                let at = moment(&mut self.rng);
                let side = self.rng.below(2) as usize;
                self.after(at, Event::Moves { side });
            }
        }
        if self.faults.forged {
            for _ in 0..20 {
                let at = moment(&mut self.rng);
                let to = self.rng.below(2) as usize;
                self.after(at, Event::Forgery { to });
            }
        }
        if self.faults.outages {
            let at = moment(&mut self.rng);
            let length = self.rng.ms(500, 45_000);
            self.after(at, Event::Network { up: false });
            self.after(at + length, Event::Network { up: true });
        }
        if self.faults.dies {
            let at = moment(&mut self.rng);
            let what = self.rng.below(4) as usize;
            for side in 0..2 {
                if what == side || what >= 2 {
                    self.after(at, Event::LinkDown { side, for_good: true });
                }
            }
            if what == 3 || self.rng.chance(50) {
                self.after(at, Event::Network { up: false });
            }
        }
    }

    fn after(&mut self, delay: Duration, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + delay, self.sequence), event);
    }

    /// Runs until the users are quiet and every timer has had its turn.
    pub fn run_until_settled(&mut self) {
        self.run_until(self.start + SETTLED_AFTER);
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    fn run_until(&mut self, end: Instant) {
        loop {
            let event = self.events.keys().next().map(|(at, _)| *at);
            let timers = [0, 1].map(|side| self.sides[side].endpoint.poll_timeout());
            let next = [event, timers[0], timers[1], self.server.next_timer()]
                .into_iter()
                .flatten()
                .min();
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            assert!(next >= self.now, "a timer is armed in the past");
            self.now = next;
            for (side, timer) in timers.into_iter().enumerate() {
                if timer == Some(next) {
                    self.sides[side].endpoint.handle_timeout(next);
                    self.perform(side);
                    let again = self.sides[side].endpoint.poll_timeout();
                    assert!(again.is_none_or(|at| at > next), "a timer is due again at once");
                }
            }
            let deliveries = self.server.handle_timeout(next);
            self.deliver(deliveries);
            if event == Some(next)
                && let Some((_, event)) = self.events.pop_first()
            {
                self.handle(event);
            }
        }
        self.now = end;
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::AtServer { from, epoch, signal } => {
                if self.sides[from].online && self.sides[from].epoch == epoch {
                    let online = [self.sides[0].online, self.sides[1].online];
                    let deliveries = self.server.handle(self.now, from, signal, online);
                    self.deliver(deliveries);
                }
            }
            Event::AtClient { to, epoch, signal } => {
                let side = &mut self.sides[to];
                if side.online && side.epoch == epoch {
                    side.audit.delivered(&signal);
                    // Any word about a call proves that its offer arrived.
                    side.unsure.retain(|(_, sent)| {
                        !matches!(sent, Signal::Offer(_)) || sent.call() != signal.call()
                    });
                    side.endpoint.handle_signal(self.now, signal);
                    self.perform(to);
                }
            }
            Event::Peer { side, call, input } => {
                self.sides[side].endpoint.handle_peer(self.now, &call, input);
                self.perform(side);
            }
            Event::Described { side, call } => self.transport.described(side, &call, self.now),
            Event::LinkDown { side, for_good } => self.link_down(side, for_good),
            Event::LinkUp { side } => self.link_up(side),
            Event::Network { up } => self.transport.network_down = !up,
            Event::Restart => {
                self.server.forget_everything();
                for side in 0..2 {
                    self.link_down(side, false);
                }
            }
            Event::Moves { side } => {
                self.transport.moved();
                if let Some(live) = self.sides[side].endpoint.snapshot() {
                    self.peer(side, &live.call, 0, 1_000, PeerInput::NetworkChanged);
                }
            }
            Event::User { side } => self.user_acts(side),
            Event::Forgery { to } => self.forge(to),
            Event::Tick => {
                for (side, call, input) in self.transport.tick(self.now, &mut self.rng) {
                    self.sides[side].endpoint.handle_peer(self.now, &call, input);
                    self.perform(side);
                }
                self.ticking = false;
                self.keep_ticking();
            }
        }
    }

    fn keep_ticking(&mut self) {
        if !self.ticking && self.transport.in_use() {
            self.ticking = true;
            self.after(TICK, Event::Tick);
        }
    }

    fn link_down(&mut self, side: usize, for_good: bool) {
        let link = &mut self.sides[side];
        link.dead |= for_good;
        if !link.online {
            return;
        }
        link.online = false;
        link.epoch += 1;
        link.endpoint.handle_link(self.now, false);
        self.perform(side);
        self.server.disconnected(self.now, side);
        let away = self.rng.ms(200, 20_000);
        self.after(away, Event::LinkUp { side });
    }

    fn link_up(&mut self, side: usize) {
        let link = &mut self.sides[side];
        if link.dead || link.online {
            return;
        }
        link.online = true;
        link.endpoint.handle_link(self.now, true);
        if !self.faults.basic {
            link.endpoint.handle_live_calls(self.now, self.server.listed());
        }
        for (_, signal) in std::mem::take(&mut link.unsure) {
            self.send(side, signal);
        }
        self.perform(side);
        let deliveries = self.server.connected(self.now, side);
        self.deliver(deliveries);
    }

    /// Sends a signal of a client, or keeps it for the return of the link.
    fn send(&mut self, from: usize, signal: Signal) {
        let now = self.now;
        let side = &mut self.sides[from];
        if matches!(
            signal,
            Signal::Offer(_) | Signal::Answer { .. } | Signal::End { .. }
        ) {
            // While the link is down nothing grows old: it cannot have been delivered.
            if side.online {
                side.unsure.retain(|(at, _)| *at + UNSURE >= now);
            }
            side.unsure.push((now, signal.clone()));
        }
        if side.online {
            let epoch = side.epoch;
            self.transmit(from, true, signal, |from, signal| Event::AtServer {
                from,
                epoch,
                signal,
            });
        }
    }

    fn deliver(&mut self, deliveries: Vec<Delivery>) {
        for Delivery { to, signal } in deliveries {
            let epoch = self.sides[to].epoch;
            if self.sides[to].online {
                self.transmit(to, false, signal, |to, signal| Event::AtClient {
                    to,
                    epoch,
                    signal,
                });
            }
        }
    }

    fn transmit(&mut self, side: usize, up: bool, signal: Signal, event: impl Fn(usize, Signal) -> Event) {
        let slow = self.rng.chance(10);
        let delay = self.rng.ms(1, if slow { 3_000 } else { 150 });
        let call = signal.call().expect("every signal names a call").clone();
        let last = self.last.entry((side, up, call)).or_insert(self.now);
        *last = (*last + Duration::from_micros(1)).max(self.now + delay);
        let delay = *last - self.now;
        if self.faults.repeats && self.rng.chance(15) {
            let later = delay + self.rng.ms(0, 8_000);
            self.after(later, event(side, signal.clone()));
        }
        self.after(delay, event(side, signal));
    }

    fn perform(&mut self, side: usize) {
        while let Some(action) = self.sides[side].endpoint.poll_action() {
            let now = self.now;
            self.sides[side].audit.action(now, &action);
            match action {
                Action::CreateOffer { call, .. } => {
                    self.transport.open(side, call.clone(), &mut self.rng);
                    self.describe(side, call, false);
                }
                Action::CreateAnswer { call, .. } => {
                    self.transport.open(side, call.clone(), &mut self.rng);
                    self.describe(side, call, true);
                }
                Action::ApplyAnswer { call, sdp, .. } => {
                    if let Some(described) = Described::read(&sdp) {
                        self.reanswered(side, &call, described);
                    } else if self.fails(1) {
                        self.peer(side, &call, 0, 50, PeerInput::DescriptionFailed);
                    } else {
                        let delay = self.rng.ms(0, 50);
                        self.after(delay, Event::Described { side, call });
                    }
                }
                Action::StartMedia { call, .. } => {
                    if self.fails(3) {
                        self.peer(side, &call, 0, 400, PeerInput::MediaFailed);
                    }
                }
                Action::StopMedia { .. } => self.transport.close(side),
                Action::SendSignal(signal) => self.send(side, signal),
                Action::CreateReoffer { call, restart, video } => {
                    let sdp = self.description(restart, video);
                    self.peer(side, &call, 1, 200, PeerInput::LocalOffer { sdp });
                }
                Action::CreateReanswer {
                    call,
                    offer_sdp,
                    send_video,
                    ..
                } => self.reanswer(side, call, &offer_sdp, send_video),
                Action::SendInBand { call, reason, detail } => {
                    if self.transport.carries() {
                        self.in_band_ends += 1;
                        self.peer(1 - side, &call, 1, 200, PeerInput::RemoteEnd { reason, detail });
                    }
                }
                Action::VideoChanged { .. } => self.video_changes += 1,
                Action::SignalingLost { .. } => self.signaling_lost += 1,
                Action::AddCandidate { .. } | Action::Ring { .. } | Action::Ended { .. } => {}
            }
        }
        let side = &mut self.sides[side];
        let idle = side.endpoint.snapshot().is_none();
        side.audit.input_done(idle);
        if idle {
            assert_eq!(side.endpoint.poll_timeout(), None, "a timer without a call");
        }
        self.keep_ticking();
    }

    fn description(&mut self, restart: bool, video: Direction) -> String {
        self.descriptions += 1;
        let moves = restart.then(|| self.transport.moves());
        Described { moves, video }.write(self.descriptions)
    }

    fn reanswer(&mut self, side: usize, call: CallId, offer_sdp: &str, send_video: bool) {
        let offered = Described::read(offer_sdp).expect("only re-offers are answered again");
        let sends = send_video && offered.video.receives();
        let video = Direction::of(sends, offered.video.sends());
        if let Some(moves) = offered.moves
            && self.transport.restarts(side, &call, moves, false)
        {
            self.peer(side, &call, 0, 0, PeerInput::Checking);
        }
        self.descriptions += 1;
        let answer = Described { video, ..offered };
        let sdp = answer.write(self.descriptions);
        let delay = self.rng.ms(1, 200);
        let input = PeerInput::LocalAnswer { sdp };
        let told = call.clone();
        self.after(delay, Event::Peer { side, call, input });
        let input = PeerInput::Negotiated { video };
        self.after(
            delay,
            Event::Peer {
                side,
                call: told,
                input,
            },
        );
    }

    fn reanswered(&mut self, side: usize, call: &CallId, answered: Described) {
        if let Some(moves) = answered.moves {
            self.restarts_applied += 1;
            if self.transport.restarts(side, call, moves, true) {
                self.peer(side, call, 0, 0, PeerInput::Checking);
            }
        }
        let video = Direction::of(answered.video.receives(), answered.video.sends());
        self.peer(side, call, 0, 50, PeerInput::Negotiated { video });
    }

    /// The peer connection makes its description and finds its candidates.
    fn describe(&mut self, side: usize, call: CallId, answer: bool) {
        for number in 0..self.rng.below(4) {
            let candidate = Candidate {
                candidate: format!("{number} typ {}", if number == 0 { "relay" } else { "host" }),
                sdp_mid: Some("0".into()),
                sdp_m_line_index: None,
                username_fragment: None,
            };
            let input = PeerInput::LocalCandidate(Some(candidate));
            self.peer(side, &call, 0, 600, input);
        }
        self.peer(side, &call, 600, 900, PeerInput::LocalCandidate(None));
        match self.rng.below(100) {
            0 if self.faults.failures => {}
            1 if self.faults.failures => {
                self.peer(side, &call, 0, 500, PeerInput::DescriptionFailed);
            }
            2 if self.faults.failures => self.peer(side, &call, 0, 500, PeerInput::MediaFailed),
            _ => {
                let delay = self.rng.ms(1, 300);
                self.descriptions += 1;
                let sdp = format!("first {}", self.descriptions);
                let input = if answer {
                    let call = call.clone();
                    self.after(delay, Event::Described { side, call });
                    PeerInput::LocalAnswer { sdp }
                } else {
                    PeerInput::LocalOffer { sdp }
                };
                self.after(delay, Event::Peer { side, call, input });
            }
        }
    }

    fn fails(&mut self, percent: u64) -> bool {
        self.faults.failures && self.rng.chance(percent)
    }

    fn peer(&mut self, side: usize, call: &CallId, from: u64, to: u64, input: PeerInput) {
        let delay = self.rng.ms(from, to);
        let call = call.clone();
        self.after(delay, Event::Peer { side, call, input });
    }

    fn forge(&mut self, to: usize) {
        let Some(live) = self.sides[to].endpoint.snapshot() else {
            return;
        };
        if live.state != CallState::RingingIn {
            return;
        }
        let call = live.call;
        let signal = match self.rng.below(3) {
            0 => Signal::Ringing { call },
            1 => Signal::Renegotiate {
                call,
                ice_restart: true,
                video: Some(true),
            },
            _ => Signal::Answer {
                call,
                sdp: "sdp".into(),
                candidates: Vec::new(),
                constraints: None,
                negotiation: None,
            },
        };
        self.sides[to].endpoint.handle_signal(self.now, signal);
        self.perform(to);
    }

    /// The user looks at the screen and does something, or nothing.
    fn user_acts(&mut self, side: usize) {
        let again = self.rng.ms(20, 12_000);
        if self.now + again < self.start + QUIET_AFTER {
            self.after(again, Event::User { side });
        }
        let mood = self.rng.below(100);
        let command = match self.sides[side].endpoint.snapshot() {
            None if mood < 70 || self.sides[side].placed == 0 => {
                let call = CallId::new(format!("c{:016x}", self.rng.next())).expect("a valid id");
                let video = self.rng.chance(50);
                let hides = self.rng.chance(30);
                self.sides[side].placed += 1;
                self.sides[side].audit.placed(&call, video, hides);
                Command::PlaceCall {
                    call,
                    to: user(1 - side),
                    video,
                    constraints: Constraints::default(),
                    hide_addresses: hides,
                    stream: None,
                }
            }
            None => return,
            Some(live) => match (live.state, mood) {
                (CallState::RingingIn, 0..60) => {
                    self.sides[side].audit.accepted(&live.call);
                    Command::Accept {
                        call: live.call,
                        video: mood < 30,
                    }
                }
                (CallState::RingingIn, 60..70) => Command::Decline { call: live.call },
                (CallState::RingingIn, 70..75) => Command::Busy { call: live.call },
                (CallState::Connecting | CallState::Connected | CallState::Reconnecting, 0..25) => {
                    let on = mood.is_multiple_of(2);
                    if on {
                        self.sides[side].audit.camera_asked(&live.call);
                    }
                    Command::SetCamera { call: live.call, on }
                }
                (CallState::Connected, 25..32) => Command::RestartIce { call: live.call },
                (_, 75..90) => Command::HangUp { call: live.call },
                _ => return,
            },
        };
        let result = self.sides[side].endpoint.handle_command(self.now, command);
        assert_eq!(result, Ok(()), "a user does only what the screen offers");
        self.perform(side);
    }

    pub fn snapshots(&self) -> [Option<CallSnapshot>; 2] {
        [0, 1].map(|side| self.sides[side].endpoint.snapshot())
    }

    pub fn audits(&self) -> [&Audit; 2] {
        [&self.sides[0].audit, &self.sides[1].audit]
    }

    pub fn hang_up(&mut self, side: usize, call: CallId) {
        let result = self.sides[side]
            .endpoint
            .handle_command(self.now, Command::HangUp { call });
        assert_eq!(result, Ok(()));
        self.perform(side);
    }
}
