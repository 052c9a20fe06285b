use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Answers one HTTP request with `answer`, and gives back what was asked.
fn server(answer: String) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/ws", listener.local_addr().expect("address"));
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = String::new();
        let mut bytes = [0; 4096];
        while !request.ends_with('}') {
            let count = stream.read(&mut bytes).expect("a request");
            request.push_str(std::str::from_utf8(&bytes[..count]).expect("UTF-8"));
        }
        stream.write_all(answer.as_bytes()).expect("answer");
        request
    });
    (url, thread)
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn secret() -> Secret {
    Secret::new("pass")
}

#[tokio::test]
async fn a_login_asks_the_host_of_the_websocket() {
    let (url, thread) = server(http(
        "200 OK",
        r#"{"success":true,"data":{"access_token":"jwt"}}"#,
    ));
    let login = login(&url, "ann", &secret(), false).await.expect("a login");
    assert_eq!(login.token, Secret::new("jwt"));
    let request = thread.join().expect("the server");
    assert!(
        request.starts_with("POST /api/auth/login HTTP/1.1\r\n"),
        "{request}"
    );
    let body = request.split("\r\n\r\n").nth(1).expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body, json!({"username": "ann", "password": "pass"}));
}

#[tokio::test]
async fn an_http_401_is_a_wrong_password() {
    let (url, _thread) = server(http("401 Unauthorized", r#"{"success":false,"error":"unknown"}"#));
    let outcome = login(&url, "ann", &secret(), false).await;
    assert_eq!(outcome, Err(LoginError::WrongCredentials("unknown".to_owned())));
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("address")
        .port();
    let outcome = login(&format!("ws://127.0.0.1:{port}/ws"), "ann", &secret(), false).await;
    assert!(
        matches!(outcome, Err(LoginError::Http(HttpError::Unreachable(_)))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn something_else_is_not_a_server() {
    let (url, _thread) = server("SSH-2.0-OpenSSH_9.9\r\n\r\n".to_owned());
    let outcome = login(&url, "ann", &secret(), false).await;
    assert!(
        matches!(outcome, Err(LoginError::Http(HttpError::NotAServer(_)))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn passwords_stay_off_plain_networks() {
    let outcome = login("ws://192.0.2.1/ws", "ann", &secret(), false).await;
    assert!(
        matches!(outcome, Err(LoginError::Target(TargetError::Insecure(_)))),
        "{outcome:?}"
    );
}

#[test]
fn wrapped_unwrapped_and_nested_tokens_are_read() {
    let fields =
        r#"{"access_token":"jwt","refresh_token":"r","expires_in":60,"user":{"id":7,"username":"ann"}}"#;
    let expected = Ok(Login {
        token: Secret::new("jwt"),
        refresh_token: Some(Secret::new("r")),
        expires_in: Some(Duration::from_secs(60)),
        user: UserId::new(7).ok(),
        name: Some("ann".to_owned()),
    });
    assert_eq!(read_answer(200, fields), expected);
    assert_eq!(
        read_answer(200, &format!(r#"{{"success":true,"data":{fields}}}"#)),
        expected
    );
    let nested = r#"{"token":{"access_token":"jwt","refresh_token":"r","expires_in":60},"user":{"user_id":7,"nickname":"ann"}}"#;
    assert_eq!(read_answer(200, nested), expected);
    assert_eq!(
        read_answer(201, r#"{"token":"jwt"}"#).map(|login| login.token),
        Ok(Secret::new("jwt"))
    );
}

#[test]
fn every_refusal_has_its_own_error() {
    let refused = |status, text| read_answer(status, text).expect_err("a refusal");
    let wrong = |text: &str| LoginError::WrongCredentials(text.to_owned());
    assert_eq!(refused(401, ""), wrong("no reason given"));
    assert_eq!(
        refused(400, r#"{"success":false,"error":"no such user"}"#),
        wrong("no such user")
    );
    assert_eq!(refused(200, r#"{"success":false,"message":"no"}"#), wrong("no"));
    assert_eq!(refused(403, "{}"), LoginError::Forbidden);
    assert_eq!(refused(429, ""), LoginError::TooMany);
    assert_eq!(
        refused(200, r#"{"success":true,"data":{"token":"","user":{"id":7}}}"#),
        LoginError::SecondFactor
    );
    for (status, text) in [
        (404, "<html>"),
        (200, "<html>"),
        (200, "{}"),
        (200, "[]"),
        (302, ""),
    ] {
        assert!(
            matches!(refused(status, text), LoginError::Http(HttpError::NotAServer(_))),
            "{status} {text}"
        );
    }
    let broken = refused(500, "{}");
    assert!(
        matches!(broken, LoginError::Http(HttpError::Unreachable(_))),
        "{broken}"
    );
}

#[test]
fn phone_numbers_are_told_from_names() {
    assert!(is_phone("+8613800138000") && is_phone("13800138000"));
    assert!(!is_phone("ann") && !is_phone("42") && !is_phone("+1234567x") && !is_phone(""));
}
