//! Makes a room of this program answer as a MediaServer does whose stream has AAC: with the sound inactive. It stands
//! between the room and its server and passes everything else on as it is.

use serde_json::Value;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Error, Message, WebSocket};

/// How long one side is listened to before it is the other's turn.
const TURN: Duration = Duration::from_millis(5);

/// The address for the room in place of the server's; it takes one connection and lasts as long as that.
pub fn mute_keeper(server: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = server.to_owned();
    std::thread::spawn(move || {
        let (room, _) = listener.accept().expect("the room connects");
        room.set_read_timeout(Some(TURN)).expect("a timeout");
        let mut room = loop_handshake(room);
        let (mut server, _) = tungstenite::connect(server).expect("the server is there");
        if let MaybeTlsStream::Plain(stream) = server.get_ref() {
            stream.set_read_timeout(Some(TURN)).expect("a timeout");
        }
        loop {
            let passed = pass(&mut room, &mut server, |text| with_inactive_sound(&text))
                .and_then(|()| pass(&mut server, &mut room, |text| text));
            if passed.is_err() {
                return;
            }
        }
    });
    format!("ws://{address}/signaling")
}

/// The opening handshake may take longer than a turn.
fn loop_handshake(stream: TcpStream) -> WebSocket<TcpStream> {
    let mut handshake = tungstenite::accept(stream);
    loop {
        match handshake {
            Ok(socket) => return socket,
            Err(tungstenite::HandshakeError::Interrupted(middle)) => handshake = middle.handshake(),
            Err(tungstenite::HandshakeError::Failure(error)) => panic!("no WebSocket: {error}"),
        }
    }
}

/// Passes one message on if there is one; an error is the end of the connection.
fn pass<A: std::io::Read + std::io::Write, B: std::io::Read + std::io::Write>(
    from: &mut WebSocket<A>,
    to: &mut WebSocket<B>,
    change: impl Fn(String) -> String,
) -> Result<(), Error> {
    match from.read() {
        Ok(Message::Text(text)) => to.send(Message::text(change(text.to_string()))),
        // Each side of this has its own.
        Ok(Message::Ping(_) | Message::Pong(_)) => Ok(()),
        Ok(other) => to.send(other),
        Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn with_inactive_sound(text: &str) -> String {
    let Ok(mut message) = serde_json::from_str::<Value>(text) else {
        return text.to_owned();
    };
    if message["class"] != "accept" || message["method"] != "call" {
        return text.to_owned();
    }
    let sdp = message["sdp"]
        .as_str()
        .expect("an answer has a description")
        .to_owned();
    let mut in_sound = false;
    let lines = sdp.lines().map(|line| {
        if let Some(media) = line.strip_prefix("m=") {
            in_sound = media.starts_with("audio");
        }
        match line {
            "a=sendonly" | "a=sendrecv" | "a=recvonly" if in_sound => "a=inactive\r\n".to_owned(),
            line => format!("{line}\r\n"),
        }
    });
    message["sdp"] = lines.collect::<String>().into();
    message.to_string()
}
