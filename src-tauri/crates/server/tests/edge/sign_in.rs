//! Signing in, going on with it, and what survives a restart.

use crate::support::*;
use ahoy_server::store::Database;
use ahoy_server::{Account, Server, ServerConfig, hash_password};
use serde_json::{Value, json};

async fn sign_in(server: &Server, name: &str, password: &str) -> Answer {
    let body = json!({ "username": name, "password": password });
    post(server, "/api/auth/login", "", body).await
}

fn token<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let data = &answer.body["data"];
    data[name].as_str().unwrap_or_else(|| panic!("{answer:?}"))
}

#[tokio::test]
async fn a_refresh_token_buys_the_next_two_and_is_used_up() {
    let server = server().await;
    let signed_in = sign_in(&server, "ada", "secret").await;
    assert_eq!(signed_in.status, 200);
    assert_eq!(
        signed_in.body["data"]["user"],
        json!({ "id": 1, "username": "Ada" })
    );
    let first = token(&signed_in, "refresh_token").to_owned();
    let refreshed = post(&server, "/api/auth/refresh", &first, json!({})).await;
    assert_eq!(refreshed.status, 200);
    let tokens = &refreshed.body["token"];
    assert_eq!(tokens["expires_in"], 86_400);
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(get(&server, "/api/users/me", access).await.body["data"]["id"], 1);
    let second = tokens["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    let third = post(&server, "/api/auth/refresh", &second, json!({})).await;
    assert_eq!(third.status, 200);
    // A token of two turns ago is a stolen one: nobody goes on.
    assert_eq!(
        post(&server, "/api/auth/refresh", &first, json!({})).await.status,
        401
    );
    let newest = third.body["token"]["refresh_token"].as_str().unwrap();
    assert_eq!(
        post(&server, "/api/auth/refresh", newest, json!({})).await.status,
        401
    );
}

#[tokio::test]
async fn each_kind_of_token_is_refused_in_the_place_of_the_other() {
    let server = server().await;
    let signed_in = sign_in(&server, "Ada", "secret").await;
    let (access, refresh) = (
        token(&signed_in, "access_token"),
        token(&signed_in, "refresh_token"),
    );
    assert_eq!(get(&server, "/api/users/me", refresh).await.status, 401);
    assert_eq!(
        post(&server, "/api/auth/refresh", access, json!({})).await.status,
        401
    );
    assert_eq!(
        post(&server, "/api/auth/refresh", "", json!({})).await.status,
        401
    );
}

#[tokio::test]
async fn malformed_bodies_are_named() {
    let server = server().await;
    for (body, field) in [
        (json!({ "password": "secret" }), json!("username")),
        (json!({ "username": "Ada" }), Value::Null),
        (json!({ "username": 7, "password": "secret" }), Value::Null),
        (json!([]), Value::Null),
    ] {
        let answer = post(&server, "/api/auth/login", "", body).await;
        assert_eq!((answer.status, answer.code()), (400, "bad_request"));
        assert_eq!(answer.body["field"], field, "{answer:?}");
    }
    let url = format!("{}/api/auth/login", server.http_url());
    assert_eq!(ask("POST", url.clone(), "", "{").await.status, 400);
    let large = ask("POST", url, "", vec![b' '; 17 * 1024]).await;
    assert_eq!((large.status, large.code()), (413, "too_large"));
}

#[tokio::test]
async fn accounts_tokens_and_keys_outlive_a_restart() {
    let folder = TempFolder::new();
    let with_data = || ServerConfig {
        data: Some(folder.0.clone()),
        ..config()
    };
    let server = Server::bind(with_data()).await.unwrap();
    let signed_in = sign_in(&server, "Ada", "secret").await;
    let (access, refresh) = (
        token(&signed_in, "access_token").to_owned(),
        token(&signed_in, "refresh_token").to_owned(),
    );
    server.shutdown().await;
    // The same command line changes nothing, and without it the people are still there.
    for users in [with_data().users, Vec::new()] {
        let server = Server::bind(ServerConfig { users, ..with_data() }).await.unwrap();
        assert_eq!(get(&server, "/api/users/me", &access).await.status, 200);
        assert_eq!(sign_in(&server, "BEN", "secret").await.status, 200);
        server.shutdown().await;
    }
    let server = Server::bind(with_data()).await.unwrap();
    assert_eq!(
        post(&server, "/api/auth/refresh", &refresh, json!({}))
            .await
            .status,
        200
    );
    server.shutdown().await;
    // Another password on the command line is a change of the password.
    let users = vec![Account::new(user(1), "Ada", "changed")];
    let server = Server::bind(ServerConfig { users, ..with_data() }).await.unwrap();
    assert_eq!(get(&server, "/api/users/me", &access).await.status, 401);
    assert_eq!(sign_in(&server, "Ada", "secret").await.status, 401);
    assert_eq!(sign_in(&server, "Ada", "changed").await.status, 200);
}

#[tokio::test]
async fn a_ban_and_a_new_password_reach_a_running_server() {
    let folder = TempFolder::new();
    let server = Server::bind(ServerConfig {
        data: Some(folder.0.clone()),
        ..config()
    })
    .await
    .unwrap();
    let (ada, ben) = (server.token_for(user(1)), server.token_for(user(2)));
    assert_eq!(get(&server, "/api/users/me", &ada).await.status, 200);
    let mut tool = Database::open(&folder.0).unwrap();
    tool.set_banned(user(1), true).unwrap();
    tool.set_password(user(2), &hash_password("new").unwrap())
        .unwrap();
    let noticed = async {
        while get(&server, "/api/users/me", &ben).await.status == 200 {}
        while get(&server, "/api/users/me", &ada).await.status == 200 {}
    };
    tokio::time::timeout(DEADLINE, noticed).await.unwrap();
    let banned = get(&server, "/api/users/me", &ada).await;
    assert_eq!((banned.status, banned.code()), (403, "banned"));
    assert_eq!(sign_in(&server, "Ada", "secret").await.status, 403);
    assert_eq!(get(&server, "/api/users/me", &ben).await.status, 401);
    assert_eq!(sign_in(&server, "Ben", "secret").await.status, 401);
    assert_eq!(sign_in(&server, "Ben", "new").await.status, 200);
    tool.set_banned(user(1), false).unwrap();
    let back = async { while sign_in(&server, "Ada", "secret").await.status != 200 {} };
    tokio::time::timeout(DEADLINE, back).await.unwrap();
    // What was issued before the ban stays worthless.
    assert_eq!(get(&server, "/api/users/me", &ada).await.status, 401);
}
