//! Stands between one client and its server and may change, answer or keep back what goes through.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Error, Message, WebSocket};

/// How long one side is listened to before it is the other's turn.
const TURN: Duration = Duration::from_millis(5);

/// What becomes of a message.
pub enum Passed {
    On(String),
    Answered(String),
    KeptBack,
}

/// What a relay makes of messages.
pub trait Relay: Send + 'static {
    /// From the client, to the server.
    fn up(&mut self, text: String) -> Passed;
    /// From the server, to the client.
    fn down(&mut self, text: String) -> Passed;
}

/// The address for the client in place of the server's; it takes one connection and lasts as long as that.
pub fn relay(server: &str, mut relay: impl Relay) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = server.to_owned();
    std::thread::spawn(move || {
        let (client, _) = listener.accept().expect("the client connects");
        client.set_read_timeout(Some(TURN)).expect("a timeout");
        let mut client = loop_handshake(client);
        let (mut server, _) = tungstenite::connect(server).expect("the server is there");
        if let MaybeTlsStream::Plain(stream) = server.get_ref() {
            stream.set_read_timeout(Some(TURN)).expect("a timeout");
        }
        loop {
            let passed = pass(&mut client, &mut server, |text| relay.up(text))
                .and_then(|()| pass(&mut server, &mut client, |text| relay.down(text)));
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
    mut change: impl FnMut(String) -> Passed,
) -> Result<(), Error> {
    match from.read() {
        Ok(Message::Text(text)) => match change(text.to_string()) {
            Passed::On(text) => to.send(Message::text(text)),
            Passed::Answered(text) => from.send(Message::text(text)),
            Passed::KeptBack => Ok(()),
        },
        // Each side of this has its own.
        Ok(Message::Ping(_) | Message::Pong(_)) => Ok(()),
        Ok(other) => to.send(other),
        Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}
