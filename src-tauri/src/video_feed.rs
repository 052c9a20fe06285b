//! Pictures on their way into the page, over a WebSocket on loopback.
//!
//! One thread accepts, one small thread serves each connection: it waits for a request, then for the next newer picture,
//! scales it to the tile and sends it. At most one request is in flight, so a page that draws slowly gets fewer pictures
//! and no queue grows. A connection is served only when it comes from the window's page (origin) and knows the token.
//! Knows neither calls nor Tauri.

mod request;

use ahoy_media::video::latest::Latest;
use ahoy_media::video::scale::{Region, Scaler};
use ahoy_media::video::{I420, VideoFrame};
use request::{HEAD, Hello, MAX_TEXT, TileSize, View};
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::StatusCode;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

/// Connections at a time: two views, and those of a page that was just reloaded. Further ones are closed at once.
const MAX_CONNECTIONS: usize = 8;

/// How long a new connection may take to say who it is (chosen).
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a wait for a picture looks whether the page has gone or the slots have changed (chosen).
const LOOK: Duration = Duration::from_millis(250);

/// A picture older than this is of an earlier call or of a camera that has stopped (chosen).
const MAX_AGE: Duration = Duration::from_secs(1);

/// Where the newest pictures are; another sign-in brings other slots.
#[derive(Debug, Clone, Default)]
pub struct PictureSlots {
    pub remote: Latest<VideoFrame>,
    pub local: Latest<VideoFrame>,
}

/// The running feed; it ends when dropped.
#[derive(Debug)]
pub struct VideoFeed {
    address: SocketAddr,
    token: String,
    stopped: Arc<AtomicBool>,
}

impl VideoFeed {
    /// Listens on a free port of 127.0.0.1 for pages of these origins.
    pub fn start(
        slots: watch::Receiver<PictureSlots>,
        origins: Vec<String>,
        token: String,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let door = Door {
            origins,
            token: token.clone(),
            slots,
            stopped: Arc::clone(&stopped),
        };
        thread::Builder::new()
            .name("video-feed".into())
            .spawn(move || accept(&listener, &Arc::new(door)))?;
        Ok(Self {
            address,
            token,
            stopped,
        })
    }

    /// Where the page connects.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// What the page says first.
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl Drop for VideoFeed {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Only wakes the accepting thread; when it cannot be reached it has ended already.
        let _ = TcpStream::connect(self.address);
    }
}

/// Who may come in, and to what.
struct Door {
    origins: Vec<String>,
    token: String,
    slots: watch::Receiver<PictureSlots>,
    stopped: Arc<AtomicBool>,
}

fn accept(listener: &TcpListener, door: &Arc<Door>) {
    let connections = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if door.stopped.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if connections.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
            connections.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(
                limit = MAX_CONNECTIONS,
                "too many connections to the picture feed"
            );
            continue;
        }
        let (door, open) = (Arc::clone(door), Arc::clone(&connections));
        let serving = thread::Builder::new()
            .name("video-feed-page".into())
            .spawn(move || {
                if let Err(reason) = serve(stream, &door) {
                    tracing::debug!(%reason, "a picture connection ended");
                }
                open.fetch_sub(1, Ordering::Relaxed);
            });
        if let Err(error) = serving {
            connections.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(%error, "no thread for a picture connection");
        }
    }
}

/// Why a connection is not served any longer.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the handshake failed: {0}")]
    Handshake(String),
    #[error("the page did not prove that it is the window's")]
    Stranger,
    #[error("not a request")]
    Nonsense,
    #[error("the page is gone")]
    Gone,
    #[error("the connection failed")]
    Socket(#[from] tungstenite::Error),
    #[error("the connection failed")]
    Io(#[from] io::Error),
}

fn serve(stream: TcpStream, door: &Door) -> Result<(), Ended> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(HELLO_TIMEOUT))?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_TEXT))
        .max_frame_size(Some(MAX_TEXT))
        // A picture is one write: nothing is gained by holding it back.
        .write_buffer_size(0);
    let mut page = tungstenite::accept_hdr_with_config(stream, Gate(&door.origins), Some(limits))
        .map_err(|error| Ended::Handshake(error.to_string()))?;
    let hello = read_text(&mut page)?.and_then(|text| serde_json::from_str::<Hello>(&text).ok());
    let view = match hello {
        Some(hello) if request::same_token(&hello.token, &door.token) => hello.view,
        Some(_) | None => return Err(Ended::Stranger),
    };
    // A hidden page asks for nothing, for as long as it likes.
    page.get_ref().set_read_timeout(None)?;
    let mut pictures = Pictures {
        slots: door.slots.clone(),
        view,
        seen: 0,
    };
    let mut framer = Framer::default();
    while let Some(text) = read_text(&mut page)? {
        let tile = TileSize::parse(&text).ok_or(Ended::Nonsense)?;
        let (number, frame) =
            pictures.next(|| door.stopped.load(Ordering::Relaxed) || is_gone(page.get_ref()))?;
        page.send(Message::binary(framer.message(number, &frame, tile)))?;
    }
    Ok(())
}

/// The next text; `None` when the page closes.
fn read_text(page: &mut WebSocket<TcpStream>) -> Result<Option<String>, Ended> {
    loop {
        match page.read()? {
            Message::Text(text) => return Ok(Some(text.as_str().to_owned())),
            Message::Close(_) => return Ok(None),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Binary(_) | Message::Frame(_) => return Err(Ended::Nonsense),
        }
    }
}

/// Lets in only the window's own page.
struct Gate<'a>(&'a [String]);

impl tungstenite::handshake::server::Callback for Gate<'_> {
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        let origin = request
            .headers()
            .get("Origin")
            .and_then(|origin| origin.to_str().ok());
        if origin.is_some_and(|origin| self.0.iter().any(|allowed| allowed == origin)) {
            return Ok(response);
        }
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        Err(refusal)
    }
}

/// Walks along the pictures of one view.
struct Pictures {
    slots: watch::Receiver<PictureSlots>,
    view: View,
    /// Number of the last picture taken from the present slot.
    seen: u64,
}

impl Pictures {
    /// Waits for a picture that is newer than the last one.
    fn next(&mut self, over: impl Fn() -> bool) -> Result<(u64, VideoFrame), Ended> {
        loop {
            if self.slots.has_changed().unwrap_or(false) {
                // Another slot counts from 1 again.
                self.seen = 0;
            }
            let slot = {
                let slots = self.slots.borrow_and_update();
                match self.view {
                    View::Remote => slots.remote.clone(),
                    View::Local => slots.local.clone(),
                }
            };
            while !self.slots.has_changed().unwrap_or(false) {
                if over() {
                    return Err(Ended::Gone);
                }
                let begun = Instant::now();
                let Some((number, frame)) = slot.wait_newer_than(self.seen, LOOK) else {
                    // A closed slot answers at once, and its successor is on the way.
                    thread::sleep(LOOK.saturating_sub(begun.elapsed()));
                    continue;
                };
                self.seen = number;
                if frame.captured_at.elapsed() <= MAX_AGE {
                    return Ok((number, frame));
                }
            }
        }
    }
}

/// Whether the other end is closed; nothing is read that the WebSocket would miss.
fn is_gone(stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let gone = match stream.peek(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    };
    let restored = stream.set_nonblocking(false).is_ok();
    if !restored {
        // A stream left without blocking would fail at the next read anyway.
        let _ = stream.shutdown(Shutdown::Both);
    }
    gone || !restored
}

/// Brings pictures to the size of a tile; keeps its memory between pictures.
#[derive(Default)]
struct Framer {
    scaler: Scaler,
    scaled: Option<I420>,
}

impl Framer {
    /// The whole message: head and planes.
    fn message(&mut self, number: u64, frame: &VideoFrame, tile: TileSize) -> Vec<u8> {
        let picture = frame.picture.as_ref();
        let size = tile.fit(picture.resolution());
        let captured = SystemTime::now() - frame.captured_at.elapsed();
        let mut message = Vec::with_capacity(HEAD + I420::bytes_of(size));
        message.extend_from_slice(&request::head(size, number, captured));
        if size == picture.resolution() {
            message.extend_from_slice(picture.as_bytes());
        } else {
            let scaled = match self.scaled.take() {
                Some(scaled) if scaled.resolution() == size => scaled,
                Some(_) | None => I420::black(size),
            };
            let scaled = self.scaled.insert(scaled);
            self.scaler
                .scale(picture, Region::whole(picture.resolution()), scaled);
            message.extend_from_slice(scaled.as_bytes());
        }
        message
    }
}

#[cfg(test)]
mod tests;
