use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Answers the requests with the given statuses and bodies, one connection each, and gives back what was asked.
fn scripted(answers: Vec<(&'static str, String)>) -> (Rest, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/ws", listener.local_addr().expect("address"));
    let thread = std::thread::spawn(move || {
        let answer = |(status, body): (&str, String)| {
            let (mut stream, _) = listener.accept().expect("a client");
            let asked = read_request(&mut stream);
            let length = body.len();
            let text =
                format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).expect("answer");
            asked
        };
        answers.into_iter().map(answer).collect()
    });
    (Rest::new(&url, false).expect("a local server"), thread)
}

fn read_request(stream: &mut impl Read) -> String {
    let mut request = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let count = stream.read(&mut bytes).expect("a request");
        request.extend_from_slice(&bytes[..count]);
        let text = String::from_utf8(request.clone()).expect("UTF-8");
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")?
                    .trim()
                    .parse()
                    .ok()
            })
            .unwrap_or(0);
        if body.len() >= length {
            return text;
        }
    }
}

fn token() -> Secret {
    Secret::new("jwt")
}

fn user(n: u64) -> UserId {
    UserId::new(n).expect("id")
}

fn ok(body: &str) -> Vec<(&'static str, String)> {
    vec![("200 OK", body.to_owned())]
}

#[tokio::test]
async fn every_question_carries_the_token_and_asks_the_path_of_the_specification() {
    let list = r#"{"success":true,"data":[]}"#.to_owned();
    let (rest, thread) = scripted(vec![
        (
            "200 OK",
            r#"{"success":true,"data":{"id":7,"nickname":"Ann"}}"#.to_owned(),
        ),
        ("200 OK", list.clone()),
        ("200 OK", list.clone()),
        ("200 OK", list),
        ("201 Created", String::new()),
        ("204 No Content", String::new()),
    ]);
    let me = rest.me(&token()).await.expect("me");
    assert_eq!((me.id, me.name.as_deref()), (user(7), Some("Ann")));
    assert_eq!(rest.list(&token(), List::Contacts).await, Ok(Vec::new()));
    assert_eq!(rest.search(&token(), "a&b 林").await, Ok(Vec::new()));
    let before = CallId::new("call_x").expect("id");
    assert_eq!(rest.calls(&token(), 500, Some(&before)).await, Ok(Vec::new()));
    assert_eq!(rest.add(&token(), List::Contacts, user(9)).await, Ok(()));
    assert_eq!(rest.remove(&token(), List::Blocked, user(9)).await, Ok(()));
    let asked = thread.join().expect("the server");
    let lines: Vec<&str> = asked.iter().filter_map(|text| text.lines().next()).collect();
    assert_eq!(
        lines,
        [
            "GET /api/users/me HTTP/1.1",
            "GET /api/contacts HTTP/1.1",
            "GET /api/users/search?keyword=a%26b%20%E6%9E%97 HTTP/1.1",
            "GET /api/calls?limit=100&before=call_x HTTP/1.1",
            "POST /api/contacts HTTP/1.1",
            "DELETE /api/blocks/9 HTTP/1.1",
        ]
    );
    for text in &asked {
        assert!(
            text.to_ascii_lowercase().contains("authorization: bearer jwt"),
            "{text}"
        );
    }
    assert!(asked[4].ends_with(r#"{"user_id":9}"#), "{}", asked[4]);
}

#[tokio::test]
async fn lists_are_read_in_every_form_and_unusable_entries_are_skipped() {
    let entries = r#"[{"id":2,"username":"theo","is_online":true},{"user":{"user_id":3,"nickname":"Lin"},"remark":"Lin Ya"},
        {"id":0},{"id":"4"},"text",null]"#;
    for body in [
        entries.to_owned(),
        format!(r#"{{"success":true,"data":{entries}}}"#),
        format!(r#"{{"success":true,"data":{{"total":2,"contacts":{entries}}}}}"#),
    ] {
        let (rest, _thread) = scripted(ok(&body));
        let people = rest.list(&token(), List::Contacts).await.expect("contacts");
        let seen: Vec<_> = people
            .iter()
            .map(|person| (person.id.as_u64(), person.name.as_deref(), person.online))
            .collect();
        assert_eq!(
            seen,
            [(2, Some("theo"), Some(true)), (3, Some("Lin Ya"), None)],
            "{body}"
        );
    }
}

#[tokio::test]
async fn ice_servers_keep_what_a_peer_connection_can_use() {
    let body = r#"{"success":true,"data":{"ttl":3600,"ice_transport_policy":"relay","ice_servers":[
        {"urls":"stun:h:3478"},
        {"urls":["turn:h:3478?transport=udp","http://h","turns:h:5349?transport=tcp"],"username":"9:1","credential":"c"},
        {"urls":["http://h"]},{"urls":7},{}]}}"#;
    let (rest, _thread) = scripted(ok(body));
    let config = rest.ice_config(&token()).await.expect("config");
    assert_eq!(config.ttl, Some(Duration::from_secs(3600)));
    assert!(config.relay_only);
    let urls: Vec<usize> = config.servers.iter().map(|server| server.urls.len()).collect();
    assert_eq!(urls, [1, 2]);
    assert_eq!(config.servers[1].credential, Some(Secret::new("c")));
}

#[tokio::test]
async fn history_is_read_and_records_of_the_future_are_skipped() {
    let body = r#"{"data":[
        {"call_id":"call_1","from_user":1,"to_user":2,"call_type":"video","status":"ended","started_at":"2025-10-07T12:00:00Z",
         "ended_at":"2025-10-07T12:01:00Z","duration":55,"reason":"user_hangup"},
        {"call_id":"call_2","from_user":2,"to_user":1,"call_type":"audio","status":"missed","reason":"word"},
        {"call_id":"call_3","from_user":2,"to_user":1,"call_type":"audio","status":"transferred"},
        {"call_id":"bad id","from_user":2,"to_user":1,"status":"ended"}]}"#;
    let (rest, _thread) = scripted(ok(body));
    let calls = rest.calls(&token(), 50, None).await.expect("calls");
    assert_eq!(calls.len(), 2);
    assert!(calls[0].video && calls[0].started_at.is_some());
    assert_eq!(
        (calls[0].duration, calls[0].reason),
        (Duration::from_secs(55), Some(EndReason::UserHangup))
    );
    assert_eq!((calls[1].status, calls[1].reason), (RecordStatus::Missed, None));
}

#[test]
fn every_refusal_has_its_own_error() {
    let read = |status, text: &str| {
        read_status(Answer {
            status,
            retry_after: Some(Duration::from_secs(9)),
            text: text.to_owned(),
        })
    };
    let refused = |text: &str| Err(RestError::Refused(text.to_owned()));
    assert_eq!(
        read(401, r#"{"error":"expired"}"#),
        Err(RestError::Unauthorized("expired".to_owned()))
    );
    assert_eq!(read(403, r#"{"success":false,"error":"no"}"#), refused("no"));
    assert_eq!(read(400, "<html>"), refused("no reason given"));
    assert_eq!(
        read(200, r#"{"success":false,"message":"full"}"#),
        refused("full")
    );
    assert_eq!(read(404, "<html>"), Err(RestError::Unsupported));
    assert_eq!(
        read(429, ""),
        Err(RestError::TooMany {
            retry_after: Some(Duration::from_secs(9))
        })
    );
    assert_eq!(read(200, "<html>"), Err(RestError::Unreadable("not JSON")));
    assert!(matches!(
        read(502, ""),
        Err(RestError::Http(HttpError::Unreachable(_)))
    ));
    assert!(matches!(
        read(302, ""),
        Err(RestError::Http(HttpError::NotAServer(_)))
    ));
}

#[tokio::test]
async fn hostile_answers_are_errors_and_never_a_panic() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let huge = format!("[\"{}\"]", "x".repeat(2 * 1024 * 1024));
    for body in [deep, huge, "{\"data\":".to_owned(), "\u{0}".to_owned()] {
        let (rest, thread) = scripted(ok(&body));
        assert!(rest.list(&token(), List::Contacts).await.is_err());
        // The server may find its client gone before it has said everything.
        thread.join().ok();
    }
}

#[test]
fn a_token_stays_off_plain_networks() {
    assert!(matches!(
        Rest::new("ws://192.0.2.1/ws", false),
        Err(TargetError::Insecure(_))
    ));
    assert!(Rest::new("ws://192.0.2.1/ws", true).is_ok());
}
