//! The task that owns the switchboard, or this node's copy of it: connections' inputs in, their outboxes out, timers.
//!
//! Without a bus the switchboard is called directly. With one, inputs go through a [`Replica`], and what comes back from
//! the log is written to the connections of this node. Either way the records of an input are kept before its outputs
//! are seen by anybody.

use crate::cluster::bus::Bus;
use crate::cluster::join::Place;
use crate::cluster::log::NodeId;
use crate::cluster::replica::{Done, Replica};
use crate::cluster::state::Effects;
use crate::cluster::wire::Line;
use crate::metrics::Metrics;
use crate::outbox::OutboxSender;
use crate::store::Store;
use crate::switchboard::{self, CloseCode, ConnId, DeviceId, Frame, Moment, Person, Switchboard};
use crate::traffic::OpenCalls;
use ahoy_call::UserId;
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Inputs waiting for the switchboard; when full, the connections wait and stop reading (chosen, not measured).
pub(crate) const INPUTS: usize = 256;
/// Inputs taken in one go, so that what they lead to is kept and published together (chosen, not measured).
const BURST: usize = 64;
/// How long a node waits until the others know that it leaves (chosen: three tries of its message).
const LEAVE: Duration = Duration::from_secs(1);
/// Closes connections whose clients shall come back to another node, or to this one later (IM-Suite §1.10).
const RESTART: CloseCode = CloseCode(1012);

/// What the exchange is told.
#[derive(Debug)]
pub(crate) enum Input {
    Connected {
        conn: ConnId,
        user: UserId,
        device: DeviceId,
        outbox: OutboxSender,
    },
    Text {
        conn: ConnId,
        text: String,
    },
    Disconnected {
        conn: ConnId,
    },
    /// People who are new or have changed.
    People(Vec<Person>),
}

/// Starts the task: with a place on a bus one node of many, else a server by itself. It runs until `stop` is sent or dropped.
pub(crate) fn start(
    place: Option<Place>,
    node: NodeId,
    mut switchboard: Switchboard,
    people: Vec<Person>,
    outboxes: Outboxes,
    inputs: mpsc::Receiver<Input>,
    stop: oneshot::Receiver<()>,
) -> JoinHandle<()> {
    let clock = Clock::start();
    match place {
        None => {
            switchboard.handle_people(clock.now(), people);
            tokio::spawn(run(clock, switchboard, outboxes, inputs, stop))
        }
        Some(place) => {
            let mut replica = Replica::new(clock.now(), node, switchboard);
            replica.handle_input(clock.now(), switchboard::Input::People(people));
            match place {
                Place::InProcess(line) => {
                    tokio::spawn(run_node(clock, replica, line, outboxes, inputs, stop))
                }
                Place::Nats(line) => tokio::spawn(run_node(clock, replica, line, outboxes, inputs, stop)),
            }
        }
    }
}

/// Runs a server by itself until `stop` is sent or dropped, then ends every call and closes every connection.
async fn run(
    clock: Clock,
    mut switchboard: Switchboard,
    mut outboxes: Outboxes,
    mut inputs: mpsc::Receiver<Input>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut burst = Vec::with_capacity(BURST);
    loop {
        let deadline = switchboard.poll_timeout();
        tokio::select! {
            1.. = inputs.recv_many(&mut burst, BURST) => {
                for input in burst.drain(..).filter_map(|input| outboxes.admit(input)) {
                    switchboard.handle(clock.now(), input);
                }
            }
            () = clock.until(deadline) => switchboard.handle(clock.now(), switchboard::Input::Time),
            _ = &mut stop => break,
        }
        outboxes.deliver(drain(&mut switchboard)).await;
    }
    switchboard.handle(clock.now(), switchboard::Input::Shutdown);
    outboxes.deliver(drain(&mut switchboard)).await;
    turn_away(inputs, CloseCode::GOING_AWAY).await;
}

/// Runs one node of many until `stop` is sent or dropped, then leaves: calls go on, clients find the other nodes. The last
/// node does what a server by itself does.
async fn run_node<B: Bus>(
    clock: Clock,
    mut replica: Replica,
    mut line: Line<B>,
    mut outboxes: Outboxes,
    mut inputs: mpsc::Receiver<Input>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut burst = Vec::with_capacity(BURST);
    let mut leaving: Option<Instant> = None;
    loop {
        let is_leaving = leaving.is_some();
        let deadline = replica.poll_timeout();
        tokio::select! {
            message = line.receive() => replica.handle_message(clock.now(), message),
            1.. = inputs.recv_many(&mut burst, BURST), if replica.takes_inputs() && !is_leaving => {
                for input in burst.drain(..) {
                    if let Some(outbox) = connecting(&input).filter(|_| !replica.is_open()) {
                        outbox.push(Frame::Close(RESTART));
                    } else if let Some(input) = outboxes.admit(input) {
                        replica.handle_input(clock.now(), input);
                    }
                }
            }
            () = clock.until(Some(deadline)) => replica.handle_timeout(clock.now()),
            _ = &mut stop, if !is_leaving => {
                leaving = Some(Instant::now() + LEAVE);
                replica.handle_leave(clock.now());
            }
            () = at(leaving) => break,
        }
        while let Some((to, message)) = replica.poll_send() {
            line.publish(to, &message);
        }
        if follow(&mut replica, &mut outboxes).await == Stay::Over {
            break;
        }
    }
    outboxes.close_all(RESTART);
    turn_away(inputs, RESTART).await;
}

/// Whether the node is still one of the cluster.
#[derive(PartialEq)]
enum Stay {
    GoesOn,
    Over,
}

/// Does what the log says, as far as it is applied.
async fn follow(replica: &mut Replica, outboxes: &mut Outboxes) -> Stay {
    let mut effects = Effects::default();
    let mut stay = Stay::GoesOn;
    while let Some(done) = replica.poll_done() {
        match done {
            Done::Applied(applied) => effects.append(applied),
            Done::Evicted => {
                outboxes.deliver(std::mem::take(&mut effects)).await;
                outboxes.close_all(RESTART);
            }
            Done::Left => stay = Stay::Over,
        }
    }
    outboxes.deliver(effects).await;
    stay
}

fn drain(switchboard: &mut Switchboard) -> Effects {
    let mut effects = Effects::default();
    while let Some(record) = switchboard.poll_record() {
        effects.records.push(record);
    }
    while let Some(output) = switchboard.poll_output() {
        effects.outputs.push(output);
    }
    effects
}

fn connecting(input: &Input) -> Option<&OutboxSender> {
    match input {
        Input::Connected { outbox, .. } => Some(outbox),
        Input::Text { .. } | Input::Disconnected { .. } | Input::People(_) => None,
    }
}

/// Closes who connects while nobody serves them.
async fn turn_away(mut inputs: mpsc::Receiver<Input>, code: CloseCode) {
    inputs.close();
    while let Some(input) = inputs.recv().await {
        if let Some(outbox) = connecting(&input) {
            outbox.push(Frame::Close(code));
        }
    }
}

/// The way to each open connection of this node, and to the history.
pub(crate) struct Outboxes {
    open: HashMap<ConnId, OutboxSender>,
    store: Store,
    metrics: Metrics,
    calls: OpenCalls,
}

impl Outboxes {
    pub(crate) fn new(store: Store, metrics: Metrics) -> Self {
        Self {
            open: HashMap::new(),
            store,
            metrics,
            calls: OpenCalls::default(),
        }
    }

    /// Takes notice of who comes and goes. `None` for a connection that was closed from here: nobody waits for it.
    fn admit(&mut self, input: Input) -> Option<switchboard::Input> {
        match input {
            Input::Connected {
                conn,
                user,
                device,
                outbox,
            } => {
                self.open.insert(conn, outbox);
                Some(switchboard::Input::Connected { conn, user, device })
            }
            Input::Text { conn, text } => {
                self.metrics.count_received(&text);
                let is_open = self.open.contains_key(&conn);
                is_open.then_some(switchboard::Input::Message { conn, text })
            }
            Input::Disconnected { conn } => {
                let was_open = self.open.remove(&conn).is_some();
                was_open.then_some(switchboard::Input::Disconnected { conn })
            }
            Input::People(people) => Some(switchboard::Input::People(people)),
        }
    }

    /// Keeps the history before anybody is told: what somebody has seen survives a crash.
    async fn deliver(&mut self, effects: Effects) {
        if !effects.records.is_empty() {
            effects.records.iter().for_each(|record| self.calls.take(record));
            self.metrics.show_calls(&self.calls);
        }
        if !effects.records.is_empty()
            && let Err(error) = self.store.put_records(effects.records).await
        {
            // The calls go on: people who talk come before a list of calls.
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the history is not kept"
            );
        }
        for output in effects.outputs {
            match &output.frame {
                Frame::Text(text) => self.metrics.count_sent(text),
                Frame::Close(code) => tracing::debug!(conn = output.conn.0, code = code.0, "closing"),
            }
            if let Some(outbox) = self.open.get(&output.conn) {
                outbox.push(output.frame);
            }
        }
    }

    fn close_all(&mut self, code: CloseCode) {
        for (_, outbox) in self.open.drain() {
            outbox.push(Frame::Close(code));
        }
    }
}

/// Moments since the exchange began.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn now(&self) -> Moment {
        Moment {
            at: self.0.elapsed(),
            wall: Timestamp::now(),
        }
    }

    async fn until(&self, deadline: Option<Duration>) {
        at(deadline.map(|deadline| self.0 + deadline)).await;
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
