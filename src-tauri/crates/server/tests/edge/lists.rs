//! People, contacts, blocks, history, relays.

use crate::support::*;
use ahoy_server::store::{Database, NewAccount};
use ahoy_server::{Server, ServerConfig, TurnConfig, TurnSecret};
use serde_json::{Value, json};

fn ids(answer: &Answer) -> Vec<u64> {
    let people = answer.body["data"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer:?}"));
    people
        .iter()
        .map(|person| person["id"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn contacts_can_be_listed_added_and_removed() {
    let server = server().await;
    let ada = server.token_for(user(1));
    let contacts = async || ids(&get(&server, "/api/contacts", &ada).await);
    assert_eq!(contacts().await, [2, 3], "an organisation knows each other");
    let remove = |id: &'static str| {
        let url = format!("{}/api/contacts/{id}", server.http_url());
        ask("DELETE", url, &ada, "")
    };
    assert_eq!(remove("2").await.status, 200);
    assert_eq!(contacts().await, [3]);
    assert_eq!(remove("2").await.status, 200, "twice is once");
    let added = post(&server, "/api/contacts", &ada, json!({ "user_id": 2 })).await;
    assert_eq!(added.body["data"], json!({ "id": 2, "username": "Ben" }));
    assert_eq!(contacts().await, [2, 3]);
    for (body, status) in [
        (json!({ "user_id": 99 }), 404),
        (json!({ "user_id": 1 }), 400),
        (json!({ "user_id": 0 }), 400),
        (json!({ "user_id": "2" }), 400),
        (json!({}), 400),
    ] {
        let answer = post(&server, "/api/contacts", &ada, body.clone()).await;
        assert_eq!(answer.status, status, "{body}");
    }
    assert_eq!(remove("x").await.status, 400);
}

#[tokio::test]
async fn who_is_blocked_finds_nobody() {
    let server = server().await;
    let (ada, ben) = (server.token_for(user(1)), server.token_for(user(2)));
    assert_eq!(
        ids(&get(&server, "/api/users/search?keyword=AD", &ben).await),
        [1]
    );
    assert_eq!(
        post(&server, "/api/blocks", &ada, json!({ "user_id": 2 }))
            .await
            .status,
        200
    );
    assert_eq!(ids(&get(&server, "/api/blocks", &ada).await), [2]);
    assert!(ids(&get(&server, "/api/users/search?keyword=AD", &ben).await).is_empty());
    let url = format!("{}/api/blocks/2", server.http_url());
    assert_eq!(ask("DELETE", url, &ada, "").await.status, 200);
    assert_eq!(
        ids(&get(&server, "/api/users/search?keyword=AD", &ben).await),
        [1]
    );
}

#[tokio::test]
async fn a_search_hides_phones_and_takes_signs_literally() {
    let folder = TempFolder::new();
    let mut database = Database::open(&folder.0).unwrap();
    database
        .add_account(&NewAccount {
            id: Some(user(7)),
            name: "Dora_Lee".into(),
            phone: Some("+49301234567".into()),
            nickname: Some("The Explorer".into()),
            password_hash: None,
        })
        .unwrap();
    let server = Server::bind(ServerConfig {
        data: Some(folder.0.clone()),
        ..config()
    })
    .await
    .unwrap();
    let ada = server.token_for(user(1));
    let search =
        async |keyword: &str| get(&server, &format!("/api/users/search?keyword={keyword}"), &ada).await;
    for found in ["dora", "explorer", "%2B49301234567", "_"] {
        let answer = search(found).await;
        assert_eq!(ids(&answer), [7], "{found}");
        assert!(!answer.body.to_string().contains("4930"), "{answer:?}");
    }
    for nothing in ["%25", "4930123", "Ada"] {
        assert!(ids(&search(nothing).await).is_empty(), "{nothing}");
    }
    for wrong in ["", "%20"] {
        let answer = search(wrong).await;
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!("keyword")));
    }
    let own = get(&server, "/api/users/me", &server.token_for(user(7))).await;
    assert_eq!(own.body["data"]["phone"], "+49301234567");
}

#[tokio::test]
async fn the_history_is_empty_at_first_and_reads_its_parameters() {
    let server = server().await;
    let ada = server.token_for(user(1));
    for query in [
        "",
        "?limit=5",
        "?limit=-1",
        "?before=call_x",
        "?before=%20",
        "?limit=1000",
    ] {
        let answer = get(&server, &format!("/api/calls{query}"), &ada).await;
        assert_eq!(
            (answer.status, &answer.body["data"]),
            (200, &json!([])),
            "{query}"
        );
    }
    assert_eq!(get(&server, "/api/calls?limit=x", &ada).await.status, 400);
}

#[tokio::test]
async fn a_relay_is_told_with_credentials_of_an_hour() {
    let server = server().await;
    let without = get(&server, "/api/webrtc/config", &server.token_for(user(1))).await;
    let none = json!({ "ice_servers": [], "ttl": 3600, "ice_transport_policy": "all" });
    assert_eq!(without.body["data"], none);
    let server = Server::bind(ServerConfig {
        turn: Some(TurnConfig::new(
            "127.0.0.1:0".parse().unwrap(),
            TurnSecret::new(*b"north"),
        )),
        ..config()
    })
    .await
    .unwrap();
    let with = get(&server, "/api/webrtc/config", &server.token_for(user(1))).await;
    let servers = with.body["data"]["ice_servers"].as_array().unwrap();
    let turn = servers
        .iter()
        .find(|server| server["username"].is_string())
        .unwrap();
    assert!(turn["username"].as_str().unwrap().ends_with(":1"));
    assert!(turn["urls"][0].as_str().unwrap().starts_with("turn:127.0.0.1:"));
    assert!(turn["credential"].is_string());
}

#[tokio::test]
async fn every_address_but_the_open_ones_wants_a_token() {
    let server = server().await;
    for (method, path) in [
        ("GET", "/api/users/me"),
        ("GET", "/api/users/search?keyword=a"),
        ("GET", "/api/contacts"),
        ("POST", "/api/contacts"),
        ("DELETE", "/api/contacts/2"),
        ("GET", "/api/blocks"),
        ("POST", "/api/blocks"),
        ("DELETE", "/api/blocks/2"),
        ("GET", "/api/calls"),
        ("GET", "/api/webrtc/config"),
        ("POST", "/api/auth/refresh"),
    ] {
        let answer = ask(method, format!("{}{path}", server.http_url()), "", "").await;
        assert_eq!(
            (answer.status, answer.code()),
            (401, "unauthorized"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_same_form() {
    let server = server().await;
    let missing = get(&server, "/api/nothing", "").await;
    assert_eq!((missing.status, missing.code()), (404, "not_found"));
    let method = get(&server, "/api/auth/login", "").await;
    assert_eq!((method.status, method.code()), (405, "method_not_allowed"));
    for answer in [missing, method] {
        assert_eq!(answer.body["success"], Value::Bool(false));
        assert!(answer.body["error"].is_string());
    }
}
