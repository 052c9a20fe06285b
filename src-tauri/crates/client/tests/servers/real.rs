//! The reference server itself: its tokens are refreshed in time, its lists and its people are those that are shown.

use crate::script::{Party1, user};
use ahoy_call::Party;
use ahoy_client::{ClientEvent, Command, SearchState};
use ahoy_server::{Account, Server, ServerConfig};
use std::time::Duration;

fn account(id: u64, name: &str) -> Account {
    let Party::User(id) = user(id) else {
        panic!("a user")
    };
    Account::new(id, name, "pass")
}

async fn server(access_ttl: Duration) -> Server {
    let config = ServerConfig {
        users: vec![account(1, "ann"), account(2, "theo")],
        access_ttl,
        ..ServerConfig::default()
    };
    Server::bind(config).await.expect("a free port")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_server_refreshes_its_tokens_and_the_connection_follows() {
    let server = server(Duration::from_secs(4)).await;
    let mut ann = Party1::with_password(&server.ws_url());
    // The first sign-in, and two more with renewed tokens, each before the end of the one before.
    for _ in 0..3 {
        ann.signed_in().await;
    }
    let troubles: Vec<_> = ann
        .left_over()
        .into_iter()
        .filter(|event| matches!(event, ClientEvent::ServerLost { .. }))
        .collect();
    assert!(troubles.is_empty(), "{troubles:?}");
    ann.client.stop().await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_servers_people_are_found_listed_and_blocked() {
    let server = server(Duration::from_secs(3600)).await;
    let mut ann = Party1::with_password(&server.ws_url());
    ann.signed_in().await;
    let snapshot = ann
        .shows("theo as a contact", |snapshot| {
            snapshot
                .people
                .iter()
                .any(|person| person.contact && person.name == "theo")
        })
        .await;
    assert_eq!(snapshot.people.len(), 1, "{:?}", snapshot.people);
    ann.client
        .command(Command::Search("the".to_owned()))
        .await
        .expect("accepted");
    let snapshot = ann
        .shows("theo", |snapshot| {
            snapshot
                .found
                .as_ref()
                .is_some_and(|found| found.state == SearchState::Done)
        })
        .await;
    let found = &snapshot.found.as_ref().expect("found").people;
    assert_eq!(found.len(), 1, "{found:?}");
    let theo = found[0].id;
    ann.client.command(Command::Block(theo)).await.expect("accepted");
    ann.shows("theo blocked", |snapshot| {
        snapshot
            .people
            .iter()
            .any(|person| person.id == theo && person.blocked)
    })
    .await;
    ann.client.stop().await;
    server.shutdown().await;
}
