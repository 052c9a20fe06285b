//! Two nodes in processes of their own on a NATS server; one is killed under its sockets, and its clients come back to the
//! other.
//!
//! With 300 sockets, unless `AHOY_SWARM` names another number:
//! `ulimit -n 16384; AHOY_SWARM=5000 cargo test -p ahoy-server --release --test failover -- --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::print_stdout,
    reason = "the figures are to be seen, and the node tells its address"
)]

#[path = "cluster/nats_server.rs"]
mod nats_server;
#[path = "failover/swarm.rs"]
mod swarm;

use ahoy_call::UserId;
use ahoy_server::switchboard::Limits;
use ahoy_server::{Account, BusAddress, JwtSecret, Server, ServerConfig};
use nats_server::NatsServer;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use swarm::Swarm;

const BUS: &str = "AHOY_TEST_NODE_BUS";
const PEOPLE: &str = "AHOY_TEST_NODE_PEOPLE";
const SDP: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 00\r\na=ice-ufrag:x\r\n";
/// The node that lives, and the one that dies.
const LIVES: usize = 0;
const DIES: usize = 1;

/// What a call does while one side has no server, and after.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// The surviving side hangs up meanwhile.
    EndedByOther,
    /// The side that comes back hangs up.
    EndedByReturning,
    GoesOn,
    /// The side that comes back is the caller of a ringing call.
    RingingOut,
    /// … or is rung.
    Rung,
}

struct Call {
    id: String,
    /// On the node that lives.
    other: u64,
    /// On the node that dies.
    returning: u64,
    fate: Fate,
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_killed_node_come_back_and_their_calls_go_on() {
    let Some(nats) = NatsServer::start() else {
        return;
    };
    let wanted = std::env::var("AHOY_SWARM").ok();
    let size: u64 = wanted.and_then(|size| size.parse().ok()).unwrap_or(300);
    let in_calls = size / 5;
    let people = size + in_calls;
    let lives = Node::start(&nats.url(), people);
    let mut dies = Node::start(&nats.url(), people);

    // Users up to `size` are on the node that dies; the others are called by the first of them, or call them.
    let mut swarm = Swarm::new([lives.url.clone(), dies.url.clone()], lives.tokens.clone());
    (1..=people).for_each(|user| swarm.connect(user, if user <= size { DIES } else { LIVES }));
    for user in 1..=people {
        swarm
            .until("everybody is connected", |seen| !seen[&user].welcomes.is_empty())
            .await;
    }
    let fates = [
        Fate::EndedByOther,
        Fate::EndedByReturning,
        Fate::GoesOn,
        Fate::RingingOut,
        Fate::Rung,
    ];
    let calls: Vec<Call> = (1..=in_calls)
        .zip(fates.into_iter().cycle())
        .map(|(returning, fate)| Call {
            id: format!("call_{returning:09}"),
            other: size + returning,
            returning,
            fate,
        })
        .collect();
    for call in &calls {
        call.begin(&mut swarm).await;
    }

    println!("{size} sockets on the node that dies, {in_calls} calls");
    let killed = Instant::now();
    dies.process.kill().unwrap();
    dies.process.wait().unwrap();
    for call in calls.iter().filter(|call| call.fate == Fate::EndedByOther) {
        swarm.send(
            call.other,
            call.message("call.end", json!({"reason": "user_hangup"})),
        );
    }
    for user in 1..=size {
        swarm
            .until("everybody is back", |seen| seen[&user].welcomes.len() > 1)
            .await;
    }
    let mut took: Vec<Duration> = (1..=size)
        .map(|user| swarm.seen[&user].welcomes[1].at.duration_since(killed))
        .collect();
    took.sort_unstable();
    let in_time = took
        .iter()
        .filter(|took| **took <= Duration::from_secs(10))
        .count();
    let share = in_time as f64 / took.len() as f64;
    println!(
        "back: half {:?}, 95 % {:?}, last {:?}; within 10 s {:.2} %",
        took[took.len() / 2],
        took[took.len() * 95 / 100],
        took[took.len() - 1],
        100.0 * share,
    );
    for call in &calls {
        call.finish(&mut swarm).await;
    }
    println!("every call ended or went on as it should");
    assert!(share >= 0.99, "{share}");
}

impl Call {
    fn message(&self, kind: &str, fields: Value) -> Value {
        let mut payload = fields;
        payload["call_id"] = self.id.as_str().into();
        json!({"type": kind, "timestamp": "2026-01-01T00:00:00Z", "payload": payload})
    }

    fn ice(&self) -> Value {
        let candidate = json!({"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMLineIndex": 0, "sdpMid": "0"});
        self.message("call.ice", json!({"ice_candidate": candidate}))
    }

    fn caller_and_callee(&self) -> (u64, u64) {
        match self.fate {
            Fate::RingingOut => (self.returning, self.other),
            Fate::EndedByOther | Fate::EndedByReturning | Fate::GoesOn | Fate::Rung => {
                (self.other, self.returning)
            }
        }
    }

    fn answer(&self) -> Value {
        self.message("call.answer", json!({"sdp": {"type": "answer", "sdp": SDP}}))
    }

    async fn begin(&self, swarm: &mut Swarm) {
        let (caller, callee) = self.caller_and_callee();
        let sdp = json!({"type": "offer", "sdp": SDP});
        let offer = json!({"to_user": callee, "call_type": "audio", "sdp": sdp});
        swarm.send(caller, self.message("call.offer", offer));
        swarm.got(callee, "call.offer", &self.id).await;
        if !matches!(self.fate, Fate::RingingOut | Fate::Rung) {
            swarm.send(callee, self.answer());
            swarm.got(caller, "call.answer", &self.id).await;
        }
    }

    /// Checks what the call has become, and that both sides can go on with it.
    async fn finish(&self, swarm: &mut Swarm) {
        let (caller, callee) = self.caller_and_callee();
        let listed = swarm.seen[&self.returning].welcomes[1].calls.clone();
        match self.fate {
            Fate::EndedByOther => swarm.got(self.returning, "call.end", &self.id).await,
            Fate::EndedByReturning => {
                swarm.send(
                    self.returning,
                    self.message("call.end", json!({"reason": "user_hangup"})),
                );
                swarm.got(self.other, "call.end", &self.id).await;
            }
            Fate::GoesOn => {
                assert_eq!(listed[0]["state"], "active", "{listed}");
                assert_eq!(listed[0]["bound_here"], true);
                swarm.send(self.returning, self.ice());
                swarm.got(self.other, "call.ice", &self.id).await;
                swarm.send(self.other, self.ice());
                swarm.got(self.returning, "call.ice", &self.id).await;
            }
            Fate::RingingOut | Fate::Rung => {
                let has_ended = |swarm: &Swarm, user| swarm.seen[&user].has("call.end", &self.id);
                if listed[0]["state"] == "ringing" {
                    swarm.send(callee, self.answer());
                    swarm
                        .until("an answer or an end", |seen| {
                            let caller = &seen[&caller];
                            caller.has("call.answer", &self.id) || caller.has("call.end", &self.id)
                        })
                        .await;
                } else {
                    assert!(has_ended(swarm, self.other), "{:?} {listed}", self.id);
                }
            }
        }
    }
}

/// A server in a process of its own: this program, told to be [`node`].
struct Node {
    process: Child,
    url: String,
    tokens: Vec<String>,
}

impl Node {
    fn start(bus: &str, people: u64) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "node", "--ignored", "--nocapture"])
            .env(BUS, bus)
            .env(PEOPLE, people.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut told = lines
            .map(Result::unwrap)
            .filter_map(|line| Some(line.split_once("node: ")?.1.to_owned()));
        let url = told.next().unwrap();
        let tokens = told.take(usize::try_from(people).unwrap()).collect();
        Self { process, url, tokens }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by the test as a process of its own"]
async fn node() {
    let (Ok(bus), Ok(people)) = (std::env::var(BUS), std::env::var(PEOPLE)) else {
        return;
    };
    let ids = (1..=people.parse().unwrap()).map(|id| UserId::new(id).unwrap());
    let account = |id| Account::without_password(id, format!("user {id}"));
    let server = Server::bind(ServerConfig {
        users: ids.clone().map(account).collect(),
        jwt_secret: JwtSecret::new(*b"a secret that all the nodes share"),
        bus: Some(BusAddress::Nats(bus)),
        http_rate: 0,
        limits: Limits::NONE,
        ..ServerConfig::default()
    })
    .await
    .unwrap();
    println!("node: {}", server.ws_url());
    for id in ids {
        println!("node: {}", server.token_for(id));
    }
    std::future::pending().await
}
