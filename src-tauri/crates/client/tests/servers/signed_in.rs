//! Staying signed in: tokens are renewed before and after their end, and what the server keeps for the user is shown.

use crate::script::{Party1, ScriptedServer, TOKEN, user};
use ahoy_client::{ClientEvent, Command, Phase, Presence, SearchState};
use serde_json::{Value, json};

fn login(token: &str, refresh: &str, expires_in: u64) -> Value {
    json!({"success": true, "data": {"access_token": token, "refresh_token": refresh, "expires_in": expires_in}})
}

#[tokio::test]
async fn a_token_is_refreshed_before_its_end_and_the_connection_made_anew_without_a_word() {
    let mut server = ScriptedServer::start().await;
    server.answer("POST /api/auth/login", 200, login(TOKEN, "r1", 2));
    let refreshed = json!({"token": {"access_token": "t2", "refresh_token": "r2", "expires_in": 3600}});
    server.answer("POST /api/auth/refresh", 200, refreshed);
    let mut ann = Party1::with_password(&server.url);
    let first = server.welcomed().await;
    assert_eq!(first.bearer, TOKEN);
    ann.signed_in().await;
    let second = server.welcomed().await;
    assert_eq!(second.bearer, "t2");
    ann.signed_in().await;
    let refreshes = |asked: &[String]| asked.iter().filter(|line| line.contains("refresh")).count();
    assert!(server.asked().contains(&"POST /api/auth/refresh r1".to_owned()));
    assert_eq!(refreshes(&server.asked()), 1);
    let troubles: Vec<_> = ann
        .left_over()
        .into_iter()
        .filter(|event| matches!(event, ClientEvent::ServerLost { .. }))
        .collect();
    assert!(troubles.is_empty(), "{troubles:?}");
    ann.client.stop().await;
}

#[tokio::test]
async fn a_token_that_the_server_ends_is_renewed_and_only_then_used() {
    let mut server = ScriptedServer::start().await;
    server.answer("POST /api/auth/login", 200, login(TOKEN, "r1", 3600));
    let mut ann = Party1::with_password(&server.url);
    let mut first = server.welcomed().await;
    ann.signed_in().await;
    // The refresh token is of no use any more; the password is.
    server.answer("POST /api/auth/refresh", 401, json!({"error": "revoked"}));
    server.answer("POST /api/auth/login", 200, login("t2", "r2", 3600));
    first.close(4401).await;
    let second = server.welcomed().await;
    assert_eq!(second.bearer, "t2");
    ann.signed_in().await;
    ann.client.stop().await;
}

#[tokio::test]
async fn a_token_given_alone_ends_with_a_clear_problem() {
    let mut server = ScriptedServer::start().await;
    let mut ann = Party1::with_token(&server);
    let mut first = server.welcomed().await;
    ann.signed_in().await;
    first.close(4401).await;
    let code = ann
        .event("the end of the sign-in", |event| match event {
            ClientEvent::SignInFailed { problem } => Some(problem.code),
            _ => None,
        })
        .await;
    assert_eq!(code, "token_expired");
    let snapshot = ann
        .shows("signed out", |snapshot| snapshot.server.phase == Phase::SignedOut)
        .await;
    assert_eq!(
        snapshot.server.problem.as_ref().map(|problem| problem.code),
        Some("token_expired")
    );
    ann.client.stop().await;
}

#[tokio::test]
async fn an_unreachable_refresh_signs_nobody_out() {
    let mut server = ScriptedServer::start().await;
    server.answer("POST /api/auth/login", 200, login(TOKEN, "r1", 1));
    server.answer("POST /api/auth/refresh", 503, Value::Null);
    let mut ann = Party1::with_password(&server.url);
    let _first = server.welcomed().await;
    ann.signed_in().await;
    server.asked_for("refresh", 2).await;
    let snapshot = ann
        .shows("ready", |snapshot| snapshot.server.phase == Phase::Ready)
        .await;
    assert_eq!(snapshot.server.problem, None);
    assert!(!ann.left_over().iter().any(|event| matches!(
        event,
        ClientEvent::ServerLost { .. } | ClientEvent::SignInFailed { .. }
    )));
    ann.client.stop().await;
}

#[tokio::test]
async fn contacts_people_and_past_calls_come_from_the_server() {
    let mut server = ScriptedServer::start().await;
    let contacts =
        json!({"success": true, "data": [{"id": 2, "username": "Theo"}, {"id": 1, "username": "Ann"}]});
    server.answer("GET /api/contacts", 200, contacts.clone());
    server.answer(
        "GET /api/calls",
        200,
        json!({"data": [
            {"call_id": "call_old", "from_user": 2, "to_user": 1, "call_type": "video", "status": "missed",
             "started_at": "2025-10-07T12:00:00Z", "duration": 0, "reason": "timeout"},
        ]}),
    );
    server.answer(
        "GET /api/users/search",
        200,
        json!({"data": [{"id": 1, "username": "Ann"}, {"id": 7, "username": "Maya"}]}),
    );
    server.answer("POST /api/contacts", 200, json!({"success": true}));
    let mut ann = Party1::with_token(&server);
    let mut socket = server.welcomed().await;
    ann.signed_in().await;
    let presence = json!({"type": "presence", "payload": {"user_id": 2, "is_online": true}});
    socket.say(presence).await;
    let snapshot = ann
        .shows("Theo, ready", |snapshot| {
            snapshot
                .people
                .iter()
                .any(|person| person.contact && person.name == "Theo" && person.presence == Presence::Ready)
        })
        .await;
    assert_eq!(snapshot.people.len(), 1, "nobody is a contact of his own");
    let snapshot = ann
        .shows("the past call", |snapshot| !snapshot.recent.is_empty())
        .await;
    assert!(snapshot.recent[0].ended.video && !snapshot.recent[0].ended.outgoing);

    let search = Command::Search(" may ".to_owned());
    ann.client.command(search).await.expect("accepted");
    let found = |state| {
        move |snapshot: &ahoy_client::Snapshot| {
            snapshot.found.as_ref().is_some_and(|found| found.state == state)
        }
    };
    let snapshot = ann.shows("Maya", found(SearchState::Done)).await;
    let people = &snapshot.found.as_ref().expect("found").people;
    assert_eq!(people.len(), 1);
    assert_eq!((people[0].name.as_str(), people[0].contact), ("Maya", false));
    assert!(
        server
            .asked()
            .contains(&format!("GET /api/users/search?keyword=may {TOKEN}"))
    );

    let more = json!({"data": [{"id": 2, "username": "Theo"}, {"id": 7, "username": "Maya"}]});
    server.answer("GET /api/contacts", 200, more);
    let ahoy_call::Party::User(maya) = user(7) else {
        panic!("a user")
    };
    ann.client
        .command(Command::AddContact(maya))
        .await
        .expect("accepted");
    ann.shows("Maya as a contact", |snapshot| {
        let found = snapshot
            .found
            .as_ref()
            .is_some_and(|found| found.people[0].contact);
        found
            && snapshot
                .people
                .iter()
                .any(|person| person.id == maya && person.contact)
    })
    .await;
    ann.client.stop().await;
}
