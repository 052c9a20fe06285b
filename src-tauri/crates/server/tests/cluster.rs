//! Two nodes are one server: users of different nodes call each other, and calls outlive a node.
//!
//! Each scenario runs on the bus inside the process and on a real NATS server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cluster/client.rs"]
mod client;
#[path = "cluster/nats_server.rs"]
mod nats_server;

use ahoy_server::{Account, BusAddress, InProcessBus, JwtSecret, Server, ServerConfig};
use client::{CALL, Client, answer, end, ice, offer, user};
use nats_server::NatsServer;
use serde_json::json;

/// Where the nodes of a test meet.
struct Meeting {
    address: BusAddress,
    nats: Option<NatsServer>,
}

impl Meeting {
    fn in_process() -> Self {
        Self {
            address: BusAddress::InProcess(InProcessBus::default()),
            nats: None,
        }
    }

    /// `None` on a machine without the NATS server.
    fn nats() -> Option<Self> {
        let nats = NatsServer::start()?;
        Some(Self {
            address: BusAddress::Nats(nats.url()),
            nats: Some(nats),
        })
    }

    async fn node(&self) -> Server {
        self.node_with_secret(b'k').await
    }

    async fn node_with_secret(&self, byte: u8) -> Server {
        let names = ["Ada", "Ben", "Cora"];
        Server::bind(ServerConfig {
            users: (1..)
                .zip(names)
                .map(|(id, name)| Account::new(user(id), name, "secret"))
                .collect(),
            jwt_secret: JwtSecret::new(vec![byte; JwtSecret::MIN_BYTES]),
            bus: Some(self.address.clone()),
            ..ServerConfig::default()
        })
        .await
        .unwrap()
    }
}

/// Runs a scenario on both buses.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Meeting::in_process()).await;
            })*
        }
        mod nats {
            $(#[tokio::test]
            async fn $name() {
                if let Some(meeting) = super::Meeting::nats() {
                    super::$name(meeting).await;
                }
            })*
        }
    };
}

scenarios!(
    a_call_goes_from_node_to_node,
    busy_and_glare_are_seen_across_nodes,
    a_device_comes_back_to_a_call_on_the_other_node,
    a_node_that_joins_later_knows_the_calls,
    a_node_that_leaves_ends_no_call,
    nodes_of_another_secret_are_another_server,
);

async fn a_call_goes_from_node_to_node(meeting: Meeting) {
    let (a, b) = (meeting.node().await, meeting.node().await);
    let mut ada = Client::sign_in(&a, 1).await;
    let mut ben = Client::sign_in(&b, 2).await;
    ada.next_matching("presence", |payload| {
        payload["user_id"] == 2 && payload["is_online"] == true
    })
    .await;
    ada.send(&offer(CALL, 1, 2)).await;
    let offered = ben.next_of("call.offer").await;
    assert_eq!(offered["payload"]["caller"]["username"], "Ada");
    ben.send(&json!({"type": "call.status", "timestamp": client::TIME, "payload": {"call_id": CALL, "status": "ringing"}}))
        .await;
    ada.next_of("call.status").await;
    ben.send(&answer(CALL)).await;
    ada.next_of("call.answer").await;
    for number in 0..20 {
        ada.send(&ice(CALL, number)).await;
        ben.send(&ice(CALL, number)).await;
    }
    for number in 0..20 {
        assert_eq!(ben.next_of("call.ice").await["id"], number.to_string());
        assert_eq!(ada.next_of("call.ice").await["id"], number.to_string());
    }
    ben.send(&end(CALL)).await;
    assert_eq!(ada.next_of("call.end").await["payload"]["reason"], "user_hangup");
}

async fn busy_and_glare_are_seen_across_nodes(meeting: Meeting) {
    let (a, b) = (meeting.node().await, meeting.node().await);
    let mut ada = Client::sign_in(&a, 1).await;
    let mut ben = Client::sign_in(&b, 2).await;
    let mut cora = Client::sign_in(&a, 3).await;
    ada.send(&offer(CALL, 1, 2)).await;
    ben.next_of("call.offer").await;
    cora.send(&offer("call_of_cora", 3, 2)).await;
    assert_eq!(cora.next_of("call.end").await["payload"]["reason"], "user_busy");
    ben.send(&offer("call_of_ben", 2, 1)).await;
    let error = ben.next_of("call.error").await;
    assert_eq!(error["payload"]["details"]["code"], "glare");
    assert_eq!(error["payload"]["details"]["call_id_winner"], CALL);
}

async fn a_device_comes_back_to_a_call_on_the_other_node(meeting: Meeting) {
    let (a, b) = (meeting.node().await, meeting.node().await);
    let (mut ada, ben) = call_between(&a, &b).await;
    drop(ben);
    // What is sent before the server has noticed goes into the broken connection.
    ada.next_matching("presence", |who| who["user_id"] == 2 && who["is_online"] == false)
        .await;
    ada.send(&ice(CALL, 7)).await;
    let mut ben = Client::sign_in(&a, 2).await;
    assert_eq!(ben.welcome["payload"]["calls"][0]["state"], "active");
    assert_eq!(ben.welcome["payload"]["calls"][0]["bound_here"], true);
    assert_eq!(ben.next_of("call.ice").await["id"], "7");
    ada.send(&end(CALL)).await;
    ben.next_of("call.end").await;
}

async fn a_node_that_joins_later_knows_the_calls(meeting: Meeting) {
    let (a, b) = (meeting.node().await, meeting.node().await);
    let (mut ada, ben) = call_between(&a, &b).await;
    let c = meeting.node().await;
    let mut moved = Client::sign_in(&c, 2).await;
    assert_eq!(moved.welcome["payload"]["calls"][0]["call_id"], CALL);
    drop(ben);
    moved.send(&end(CALL)).await;
    assert_eq!(ada.next_of("call.end").await["payload"]["reason"], "user_hangup");
}

/// The first node orders the log, so that its leaving is also a change of that.
async fn a_node_that_leaves_ends_no_call(meeting: Meeting) {
    let a = meeting.node().await;
    let mut cora = Client::sign_in(&a, 3).await;
    let b = meeting.node().await;
    let (mut ada, mut ben) = call_between(&a, &b).await;
    let (_, code) = tokio::join!(a.shutdown(), async {
        cora.close_code().await;
        ada.close_code().await
    });
    assert_eq!(code, 1012, "clients are sent elsewhere");
    let mut ada = Client::sign_in(&b, 1).await;
    assert_eq!(ada.welcome["payload"]["calls"][0]["state"], "active");
    ben.send(&ice(CALL, 3)).await;
    assert_eq!(ada.next_of("call.ice").await["id"], "3");
    let (_, reason) = tokio::join!(b.shutdown(), async {
        let end = ada.next_of("call.end").await;
        assert_eq!(ben.next_of("call.end").await["payload"]["reason"], "server_error");
        assert_eq!(ben.close_code().await, 1001);
        ada.close_code().await;
        end["payload"]["reason"].clone()
    });
    assert_eq!(reason, "server_error", "the last node ends what is left");
}

async fn nodes_of_another_secret_are_another_server(meeting: Meeting) {
    let (a, stranger) = (meeting.node().await, meeting.node_with_secret(b'x').await);
    let mut ada = Client::sign_in(&a, 1).await;
    let _ben = Client::sign_in(&stranger, 2).await;
    ada.send(&offer(CALL, 1, 2)).await;
    let error = ada.next_of("call.error").await;
    assert_eq!(error["payload"]["details"]["code"], "user_offline");
}

/// The bus goes away and comes back: sockets stay, and what was said meanwhile arrives.
#[tokio::test]
async fn a_restart_of_the_bus_is_survived() {
    let Some(mut meeting) = Meeting::nats() else {
        return;
    };
    let (a, b) = (meeting.node().await, meeting.node().await);
    let (mut ada, mut ben) = call_between(&a, &b).await;
    let nats = meeting.nats.as_mut().unwrap();
    nats.kill();
    ada.send(&ice(CALL, 1)).await;
    ben.send(&ice(CALL, 2)).await;
    nats.restart();
    assert_eq!(ben.next_of("call.ice").await["id"], "1");
    assert_eq!(ada.next_of("call.ice").await["id"], "2");
    ada.send(&end(CALL)).await;
    ben.next_of("call.end").await;
}

/// An active call of user 1 on one node and user 2 on another.
async fn call_between(a: &Server, b: &Server) -> (Client, Client) {
    let mut ada = Client::sign_in(a, 1).await;
    let mut ben = Client::sign_in(b, 2).await;
    ada.send(&offer(CALL, 1, 2)).await;
    ben.next_of("call.offer").await;
    ben.send(&answer(CALL)).await;
    ada.next_of("call.answer").await;
    (ada, ben)
}
