use super::*;
use ahoy_media::units::Resolution;
use ahoy_media::video::I420;
use tungstenite::client::IntoClientRequest;
use tungstenite::stream::MaybeTlsStream;

const ORIGIN: &str = "tauri://localhost";
const DEADLINE: Duration = Duration::from_secs(10);
const HD: Resolution = Resolution {
    width: 1280,
    height: 720,
};

struct Shell {
    feed: VideoFeed,
    slots: watch::Sender<PictureSlots>,
}

impl Shell {
    fn start() -> Self {
        let (slots, receiver) = watch::channel(PictureSlots::default());
        let feed = VideoFeed::start(receiver, vec![ORIGIN.into()], "secret".into()).unwrap();
        Self { feed, slots }
    }

    fn remote(&self) -> Latest<VideoFrame> {
        self.slots.borrow().remote.clone()
    }

    fn connect(&self, origin: Option<&str>) -> tungstenite::Result<WebSocket<MaybeTlsStream<TcpStream>>> {
        let mut request = self.feed.url().into_client_request()?;
        if let Some(origin) = origin {
            request.headers_mut().insert("Origin", origin.parse().unwrap());
        }
        let (socket, _) = tungstenite::connect(request)?;
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
        }
        Ok(socket)
    }

    fn page(&self, token: &str) -> Page {
        let mut socket = self.connect(Some(ORIGIN)).unwrap();
        let hello = format!(r#"{{"token":"{token}","view":"remote"}}"#);
        socket.send(Message::text(hello)).unwrap();
        Page(socket)
    }
}

struct Page(WebSocket<MaybeTlsStream<TcpStream>>);

struct Picture {
    size: Resolution,
    number: u32,
    planes: Vec<u8>,
}

impl Page {
    fn ask(&mut self, width: u32, height: u32) {
        self.0
            .send(Message::text(format!(r#"{{"width":{width},"height":{height}}}"#)))
            .unwrap();
    }

    fn picture(&mut self) -> Picture {
        let Message::Binary(bytes) = self.0.read().unwrap() else {
            panic!("a picture is binary")
        };
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(number(0), 0x594f_4841);
        Picture {
            size: Resolution {
                width: number(4),
                height: number(8),
            },
            number: number(12),
            planes: bytes[HEAD..].to_vec(),
        }
    }

    fn is_closed(&mut self) -> bool {
        !matches!(self.0.read(), Ok(Message::Binary(_) | Message::Text(_)))
    }
}

fn grey(luma: u8) -> VideoFrame {
    let mut picture = I420::black(HD);
    picture.planes_mut().0.fill(luma);
    VideoFrame {
        picture: Arc::new(picture),
        captured_at: Instant::now(),
    }
}

#[test]
fn a_request_is_answered_with_a_picture_in_the_size_of_the_tile() {
    let shell = Shell::start();
    let mut page = shell.page("secret");
    page.ask(640, 640);
    shell.remote().put(grey(200));
    let picture = page.picture();
    assert_eq!(
        picture.size,
        Resolution {
            width: 640,
            height: 360
        }
    );
    assert_eq!(picture.planes.len(), I420::bytes_of(picture.size));
    assert!(picture.planes[..640 * 360].iter().all(|&luma| luma == 200));
    assert!(picture.planes[640 * 360..].iter().all(|&chroma| chroma == 128));
}

#[test]
fn a_slow_page_gets_the_newest_picture_and_never_the_same_twice() {
    let shell = Shell::start();
    let mut page = shell.page("secret");
    page.ask(1280, 720);
    shell.remote().put(grey(1));
    assert_eq!(page.picture().number, 1);
    for luma in 2..=9 {
        shell.remote().put(grey(luma));
    }
    page.ask(1280, 720);
    let picture = page.picture();
    assert_eq!((picture.number, picture.planes[0]), (9, 9));
    // Nothing newer is there: this request waits for the next.
    page.ask(1280, 720);
    shell.remote().put(grey(10));
    assert_eq!(page.picture().number, 10);
}

#[test]
fn the_last_picture_of_an_earlier_call_is_not_shown() {
    let shell = Shell::start();
    let old = VideoFrame {
        captured_at: Instant::now() - MAX_AGE * 2,
        ..grey(1)
    };
    shell.remote().put(old);
    let mut page = shell.page("secret");
    page.ask(1280, 720);
    shell.remote().put(grey(2));
    assert_eq!(page.picture().planes[0], 2);
}

#[test]
fn another_sign_in_brings_its_pictures_to_the_same_page() {
    let shell = Shell::start();
    let mut page = shell.page("secret");
    page.ask(1280, 720);
    shell.remote().put(grey(1));
    assert_eq!(page.picture().number, 1);
    page.ask(1280, 720);
    shell.slots.send_replace(PictureSlots::default());
    shell.remote().put(grey(50));
    let picture = page.picture();
    assert_eq!((picture.number, picture.planes[0]), (1, 50));
}

#[test]
fn pages_of_other_origins_are_refused() {
    let shell = Shell::start();
    for origin in [
        Some("https://example.com"),
        Some("tauri://localhost.example.com"),
        Some("null"),
        None,
    ] {
        match shell.connect(origin) {
            Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 403, "{origin:?}"),
            other => panic!("{origin:?} was not refused: {other:?}"),
        }
    }
}

#[test]
fn whoever_does_not_know_the_token_gets_no_picture() {
    let shell = Shell::start();
    for token in ["", "secre", "wrong!", "secret "] {
        let mut page = shell.page(token);
        // The shell may have closed already.
        let _ = page.0.send(Message::text(r#"{"width":64,"height":36}"#));
        shell.remote().put(grey(1));
        assert!(page.is_closed(), "{token:?}");
    }
}

#[test]
fn nonsense_ends_the_connection() {
    let shell = Shell::start();
    for nonsense in [
        r#"{"width":0,"height":0}"#.to_owned(),
        "hello".to_owned(),
        "x".repeat(MAX_TEXT + 1),
    ] {
        let mut page = shell.page("secret");
        page.0.send(Message::text(nonsense.clone())).unwrap();
        shell.remote().put(grey(1));
        assert!(page.is_closed(), "{nonsense}");
    }
}

#[test]
fn pages_that_went_away_while_waiting_make_room() {
    let shell = Shell::start();
    for _ in 0..MAX_CONNECTIONS {
        shell.page("secret").ask(64, 36);
    }
    // Each of those is dropped; their places come free within a look.
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Ok(mut socket) = shell.connect(Some(ORIGIN))
            && socket
                .send(Message::text(r#"{"token":"secret","view":"remote"}"#))
                .is_ok()
            && socket.send(Message::text(r#"{"width":64,"height":36}"#)).is_ok()
        {
            shell.remote().put(grey(3));
            if matches!(socket.read(), Ok(Message::Binary(_))) {
                return;
            }
        }
        assert!(Instant::now() < deadline, "no place came free");
    }
}
