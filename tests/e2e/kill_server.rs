//! A server that is killed in the middle of calls: nothing that anybody was told of is missing from its history.

use ahoy_tests::{TempFolder, TestServer};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

/// Pairs of users that call each other; one user may place six calls a minute.
const PAIRS: u64 = 8;
/// Calls of each pair, taken in turns by its two users.
const CALLS: u64 = 10;
/// Kills of one database.
const ROUNDS: u64 = 4;

/// One user's connection, by script.
struct Client {
    user: u64,
    socket: WebSocket<TcpStream>,
    /// Hears of every call that this client was told of.
    told: Sender<String>,
}

/// The server is gone.
struct Gone;

impl Client {
    fn connect(server: &TestServer, user: u64, told: Sender<String>) -> Self {
        let request = format!("{}?token={}&device_id=d{user}", server.ws(), server.token(user))
            .into_client_request()
            .expect("a good address");
        let address = server.ws();
        let address = address.trim_start_matches("ws://").trim_end_matches("/ws");
        let stream = TcpStream::connect(address).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a time limit can be set");
        let (socket, _) = tungstenite::client(request, stream).expect("the server lets its users in");
        Self { user, socket, told }
    }

    fn send(&mut self, name: &str, call: &str, to: u64, more: Value) -> Result<(), Gone> {
        let mut payload = json!({ "call_id": call, "from_user": self.user, "to_user": to });
        for (key, value) in more.as_object().into_iter().flatten() {
            payload[key] = value.clone();
        }
        let message = json!({ "type": name, "timestamp": "2026-01-01T00:00:00Z", "payload": payload });
        self.socket
            .send(Message::text(message.to_string()))
            .map_err(|_| Gone)
    }

    /// Waits for a message of this call; every call that is heard of meanwhile is noted.
    fn wait_for(&mut self, name: &str, call: &str) -> Result<(), Gone> {
        loop {
            let Message::Text(text) = self.socket.read().map_err(|_| Gone)? else {
                continue;
            };
            let message: Value = serde_json::from_str(&text).expect("messages are JSON");
            if let Some(id) = message["payload"]["call_id"].as_str() {
                // The test has ended its listening when it has heard enough.
                let _ = self.told.send(id.to_owned());
                assert_ne!(message["type"], "call.error", "{message}");
                if message["type"] == name && id == call {
                    return Ok(());
                }
            }
        }
    }
}

fn sdp(kind: &str) -> Value {
    let text = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 AA\r\n";
    json!({ "call_type": "audio", "sdp": { "type": kind, "sdp": text } })
}

/// Calls back and forth until the server is gone.
fn script(mut one: Client, mut other: Client, round: u64) -> Result<(), Gone> {
    for number in 0..CALLS {
        let (caller, callee) = if number % 2 == 0 {
            (&mut one, &mut other)
        } else {
            (&mut other, &mut one)
        };
        let id = format!("call_{round}_{}_{number}", caller.user);
        caller.send("call.offer", &id, callee.user, sdp("offer"))?;
        callee.wait_for("call.offer", &id)?;
        callee.send("call.answer", &id, caller.user, sdp("answer"))?;
        caller.wait_for("call.answer", &id)?;
        caller.send("call.end", &id, callee.user, json!({ "reason": "user_hangup" }))?;
        callee.wait_for("call.end", &id)?;
    }
    Ok(())
}

fn start(folder: &TempFolder, config: &str) -> TestServer {
    let data = folder.join("data");
    let mut arguments = vec!["serve", "--config", config, "--data", &data];
    let users: Vec<String> = (1..=2 * PAIRS)
        .map(|id| format!("{id}:User {id}:secret"))
        .collect();
    for user in &users {
        arguments.extend(["--user", user]);
    }
    TestServer::run(&arguments)
}

/// Listens until so many messages about calls were heard.
fn listen(told: &Receiver<String>, until: u64) -> BTreeSet<String> {
    let mut heard = BTreeSet::new();
    for _ in 0..until {
        match told.recv_timeout(Duration::from_secs(30)) {
            Ok(id) => heard.insert(id),
            Err(_) => break,
        };
    }
    heard
}

/// Every call in the database, by its id, with its status.
fn records(folder: &TempFolder) -> BTreeMap<String, String> {
    let database = Connection::open(folder.path().join("data/ahoy.sqlite")).expect("the database opens");
    let verdict: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("it can be checked");
    assert_eq!(verdict, "ok");
    let mut query = database
        .prepare("SELECT call_id, status FROM history")
        .expect("there is a history");
    let rows = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("it can be read");
    rows.collect::<Result<_, _>>().expect("every record can be read")
}

#[test]
fn a_killed_server_has_a_record_of_every_call_that_anybody_was_told_of() {
    let folder = TempFolder::new();
    let config = folder.join("ahoy.toml");
    // All clients come from one address.
    std::fs::write(&config, "http_rate = 0\n").expect("a file can be written");
    // Where it is killed is to differ from run to run; what it was is in the message of a failure.
    let random = RandomState::new().build_hasher().finish();
    let mut known = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut server = start(&folder, &config);
        let before = records(&folder);
        let open = |status: &String| status == "pending" || status == "answered";
        assert!(
            before.values().all(|status| !open(status)),
            "what an earlier run left open is ended at the start: {before:?}"
        );
        let (told_tx, told) = channel();
        let pairs: Vec<_> = (0..PAIRS)
            .map(|pair| {
                let [one, other] =
                    [2 * pair + 1, 2 * pair + 2].map(|user| Client::connect(&server, user, told_tx.clone()));
                std::thread::spawn(move || script(one, other, round).is_ok())
            })
            .collect();
        drop(told_tx);
        // Each call is told of at least three times.
        let until = 1 + (random >> (8 * round)) % (PAIRS * CALLS * 2);
        let mut heard = listen(&told, until);
        server.kill();
        let finished = pairs
            .into_iter()
            .filter_map(|pair| pair.join().ok())
            .filter(|done| *done);
        let finished = finished.count();
        heard.extend(told.try_iter());
        known.append(&mut heard);
        let records = records(&folder);
        for id in &known {
            assert!(
                records.contains_key(id),
                "round {round}, killed after {until}: {id} is missing"
            );
        }
        println!(
            "round {round}: killed after {until} messages, {finished} pairs done, {} records",
            records.len()
        );
    }
    // The last run's tokens are good for the next, and the history is told to whom it belongs.
    let server = start(&folder, &config);
    let records = records(&folder);
    assert!(known.len() as u64 > ROUNDS, "calls were made: {known:?}");
    let history: Value = ureq::get(format!("{}/api/calls?limit=100", server.http()))
        .header("authorization", format!("Bearer {}", server.token(1)))
        .call()
        .expect("the server answers")
        .body_mut()
        .read_json()
        .expect("with JSON");
    let own = history["data"].as_array().expect("a list of calls");
    assert!(!own.is_empty() || records.is_empty());
    for record in own {
        let status = record["status"].as_str().expect("a status");
        assert_eq!(status, "ended", "{record}");
        let reason = record["reason"].as_str().expect("a reason");
        assert!(["user_hangup", "server_error"].contains(&reason), "{record}");
    }
    let (code, stderr) = server.stop();
    assert_eq!(code, Some(0), "{stderr}");
}
