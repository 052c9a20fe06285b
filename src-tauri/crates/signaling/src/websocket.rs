//! The WebSocket task: connects, carries texts, comes back after every loss (IM-Suite §1.8 to §1.10).
//!
//! Runs as the tokio task `ws` and owns the socket and the back-off. It does not know what the texts say.

mod aftermath;
mod connect;

use crate::backoff::Backoff;
use crate::im_suite::encoding::{DecodeError, Encoding, Frame};
use crate::link::{Address, DownCause, LinkEvent, Target, TargetError, check_token};
use crate::secret::Secret;
use aftermath::Aftermath;
use futures_util::{SinkExt, StreamExt};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::{
    self,
    protocol::{CloseFrame, Message, frame::coding::CloseCode},
};

/// Texts to the server that wait in the channel; full: the sender waits.
const OUTGOING: usize = 64;
/// Events to the owner that wait in the channel; full: reading the socket waits, and so the server.
const INCOMING: usize = 64;
/// Texts handed over while the link is down; full: the oldest is dropped, as the session says what matters again.
const HELD: usize = 64;
/// How long the server may take to accept bytes or a farewell; chosen, not measured.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How long a farewell may take; chosen: TCP sends again after 0.2, 0.6 and 1.4 s.
const FAREWELL_LIMIT: Duration = Duration::from_millis(1500);

/// A signaling link that is kept up until it is dropped or closed.
///
/// The owner reads `incoming` all the time and writes `outgoing` whenever it has something; while the link is down, up to
/// 64 texts are held. Dropping the connection, or its `incoming`, ends the task.
#[derive(Debug)]
pub struct Connection {
    /// Texts to the server.
    pub outgoing: mpsc::Sender<String>,
    /// What happens to the link; ends after [`LinkEvent::GivenUp`].
    pub incoming: mpsc::Receiver<LinkEvent>,
    wishes: watch::Sender<Wishes>,
    task: JoinHandle<()>,
}

/// What the owner wants of the task; the newest state counts, so nothing can pile up.
#[derive(Debug, Clone)]
struct Wishes {
    token: Option<Secret>,
    /// Bumped with each new token.
    tokens: u64,
    /// Bumped by [`Connection::retry_now`].
    retries: u64,
    /// Bumped by [`Connection::drop_link`].
    drops: u64,
    closing: bool,
}

/// The waits of the task, so that tests need not wait as long as users.
#[derive(Debug, Clone)]
struct Pace {
    backoff: Backoff,
    /// The shortest wait after the server found too much (§1.10).
    after_flooding: Duration,
    /// A link that lived this long starts the back-off over; chosen, so that a server that accepts and closes at once is
    /// not asked every second.
    stable: Duration,
    /// For TCP, TLS and the upgrade together; chosen, not measured.
    connect_limit: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            after_flooding: Duration::from_secs(30),
            stable: Duration::from_secs(10),
            connect_limit: Duration::from_secs(10),
        }
    }
}

impl Connection {
    /// Starts connecting; needs a tokio runtime with time and IO.
    pub fn start(target: Target) -> Result<Self, TargetError> {
        Self::start_at_pace(target, Pace::default())
    }

    fn start_at_pace(target: Target, pace: Pace) -> Result<Self, TargetError> {
        let address = target.check()?;
        let (outgoing, outgoing_rx) = mpsc::channel(OUTGOING);
        let (incoming_tx, incoming) = mpsc::channel(INCOMING);
        let (wishes, wishes_rx) = watch::channel(Wishes {
            token: target.token.clone(),
            tokens: 0,
            retries: 0,
            drops: 0,
            closing: false,
        });
        let driver = Driver {
            target,
            address,
            pace,
            outgoing: outgoing_rx,
            incoming: incoming_tx,
            wishes: wishes_rx,
            held: VecDeque::new(),
        };
        Ok(Self {
            outgoing,
            incoming,
            wishes,
            task: tokio::spawn(driver.run()),
        })
    }

    /// Connects at once: cuts a wait short and replaces a live link, whose network may be gone or whose token is old.
    pub fn retry_now(&self) {
        self.wishes.send_modify(|wishes| wishes.retries += 1);
    }

    /// Gives up the present link, which is then made anew.
    pub fn drop_link(&self) {
        self.wishes.send_modify(|wishes| wishes.drops += 1);
    }

    /// Uses another token from the next attempt on, and makes that attempt at once if the link waits for it.
    pub fn set_token(&self, token: Secret) -> Result<(), TargetError> {
        check_token(&token)?;
        self.wishes.send_modify(|wishes| {
            wishes.token = Some(token);
            wishes.tokens += 1;
        });
        Ok(())
    }

    /// Says goodbye, waits for the answer and ends the task; returns within three seconds.
    pub async fn close(self) {
        self.wishes.send_modify(|wishes| wishes.closing = true);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(2 * FAREWELL_LIMIT, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// An open WebSocket.
struct Link {
    socket: connect::Socket,
    encoding: Encoding,
}

struct Driver {
    target: Target,
    address: Address,
    pace: Pace,
    outgoing: mpsc::Receiver<String>,
    incoming: mpsc::Sender<LinkEvent>,
    wishes: watch::Receiver<Wishes>,
    held: VecDeque<String>,
}

/// The owner is gone or wants the link closed.
struct Closing;

impl Driver {
    async fn run(mut self) {
        // Both ways of ending are the owner's own doing, so there is nobody to tell.
        let Closing = self.keep_up().await;
    }

    async fn keep_up(&mut self) -> Closing {
        loop {
            let seen = self.wishes.borrow_and_update().clone();
            let cause = match self.connect(&seen).await {
                Ok(Ok(link)) => match self.live(link, &seen).await {
                    Ok(cause) => cause,
                    Err(closing) => return closing,
                },
                Ok(Err(cause)) => cause,
                Err(closing) => return closing,
            };
            tracing::info!(%cause, "signaling link is down");
            let waited = match Aftermath::of(&cause, &mut self.pace) {
                Aftermath::GiveUp => {
                    // The task ends either way, whether or not somebody still listens.
                    let _ = self.emit(LinkEvent::GivenUp(cause)).await;
                    return Closing;
                }
                Aftermath::WaitForToken => self.wait_for_token(cause, &seen).await,
                Aftermath::Retry { wait, at_least } => self.wait(cause, wait, at_least, &seen).await,
            };
            if let Err(closing) = waited {
                return closing;
            }
        }
    }

    /// One attempt; texts handed over meanwhile are held.
    async fn connect(&mut self, seen: &Wishes) -> Result<Result<Link, DownCause>, Closing> {
        let (target, address, limit) = (self.target.clone(), self.address.clone(), self.pace.connect_limit);
        let token = seen.token.clone();
        let attempt = async move {
            let opened = connect::open(&address, &target, token.as_ref());
            let (socket, encoding) = tokio::time::timeout(limit, opened)
                .await
                .unwrap_or(Err(DownCause::ConnectTimeout))?;
            Ok(Link { socket, encoding })
        };
        tokio::pin!(attempt);
        loop {
            tokio::select! {
                outcome = &mut attempt => return Ok(outcome),
                text = self.outgoing.recv() => self.hold(text.ok_or(Closing)?),
                changed = self.wishes.changed() => self.check_open(changed.is_ok())?,
            }
        }
    }

    /// Carries texts both ways until the link ends.
    async fn live(&mut self, mut link: Link, seen: &Wishes) -> Result<DownCause, Closing> {
        self.emit(LinkEvent::Up).await?;
        tracing::info!(encoding = link.encoding.subprotocol(), "signaling link is up");
        let since = Instant::now();
        let cause = self.carry(&mut link, seen).await;
        if since.elapsed() >= self.pace.stable {
            self.pace.backoff.reset();
        }
        if cause.is_err() {
            self.send_last_words(&mut link).await;
        }
        let code = match &cause {
            Ok(DownCause::BadFrame(_)) => CloseCode::Unsupported,
            Ok(DownCause::Undecodable(_)) => CloseCode::Invalid,
            Ok(DownCause::TooBig(_)) => CloseCode::Size,
            Ok(_) => CloseCode::Away,
            Err(Closing) => CloseCode::Normal,
        };
        let farewell = CloseFrame {
            code,
            reason: "".into(),
        };
        let answers = cause.is_err();
        let parting = async {
            if link.socket.close(Some(farewell)).await.is_ok() && answers {
                until_answered(&mut link).await;
            }
        };
        // The link is over whether or not the other side hears the farewell.
        let _ = tokio::time::timeout(FAREWELL_LIMIT, parting).await;
        cause
    }

    /// Sends what the owner handed over before it closed: the end of a call must not be lost because the program ends.
    async fn send_last_words(&mut self, link: &mut Link) {
        let (held, outgoing) = (&mut self.held, &mut self.outgoing);
        let all = async {
            while let Ok(text) = outgoing.try_recv() {
                if write(held, link, text).await.is_err() {
                    return;
                }
            }
        };
        if tokio::time::timeout(FAREWELL_LIMIT, all).await.is_err() {
            tracing::debug!("the server takes nothing any more; the last messages are lost");
        }
    }

    async fn carry(&mut self, link: &mut Link, seen: &Wishes) -> Result<DownCause, Closing> {
        while let Some(text) = self.held.pop_front() {
            if let Err(cause) = write(&mut self.held, link, text).await {
                return Ok(cause);
            }
        }
        let mut pings = Pings::new(self.target.ping_every);
        loop {
            tokio::select! {
                received = next_frame(&self.incoming, link) => {
                    let (permit, frame) = received?;
                    match frame {
                        Ok(event) => permit.send(event),
                        Err(cause) => return Ok(cause),
                    }
                }
                text = self.outgoing.recv() => {
                    if let Err(cause) = write(&mut self.held, link, text.ok_or(Closing)?).await {
                        return Ok(cause);
                    }
                }
                () = pings.due() => {
                    if let Err(cause) = ping(link).await {
                        return Ok(cause);
                    }
                }
                changed = self.wishes.changed() => {
                    self.check_open(changed.is_ok())?;
                    let wishes = self.wishes.borrow();
                    if wishes.drops != seen.drops {
                        return Ok(DownCause::Silent);
                    }
                    if wishes.retries != seen.retries {
                        return Ok(if wishes.tokens == seen.tokens {
                            DownCause::NetworkChanged
                        } else {
                            DownCause::TokenRenewed
                        });
                    }
                }
            }
        }
    }

    /// Waits for the next attempt: until the time has come, or the owner wants it sooner, but not before `at_least`.
    async fn wait(
        &mut self,
        cause: DownCause,
        wait: Duration,
        at_least: Duration,
        seen: &Wishes,
    ) -> Result<(), Closing> {
        let start = Instant::now();
        let (mut due, earliest) = (start + wait, start + at_least);
        let retry_at = Some(due);
        self.emit(LinkEvent::Down { cause, retry_at }).await?;
        let mut seen = seen.clone();
        loop {
            {
                let wishes = self.wishes.borrow_and_update();
                if (wishes.retries, wishes.tokens) != (seen.retries, seen.tokens) {
                    due = due.min(earliest.max(Instant::now()));
                    seen = wishes.clone();
                }
            }
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => return Ok(()),
                text = self.outgoing.recv() => self.hold(text.ok_or(Closing)?),
                changed = self.wishes.changed() => self.check_open(changed.is_ok())?,
            }
        }
    }

    async fn wait_for_token(&mut self, cause: DownCause, seen: &Wishes) -> Result<(), Closing> {
        self.emit(LinkEvent::Down {
            cause,
            retry_at: None,
        })
        .await?;
        while self.wishes.borrow_and_update().tokens == seen.tokens {
            tokio::select! {
                text = self.outgoing.recv() => self.hold(text.ok_or(Closing)?),
                changed = self.wishes.changed() => self.check_open(changed.is_ok())?,
            }
        }
        Ok(())
    }

    /// Tells the owner, taking its texts meanwhile, so that two full channels cannot block each other.
    async fn emit(&mut self, event: LinkEvent) -> Result<(), Closing> {
        loop {
            tokio::select! {
                permit = self.incoming.reserve() => {
                    permit.map_err(|_| Closing)?.send(event);
                    return Ok(());
                }
                text = self.outgoing.recv() => {
                    let text = text.ok_or(Closing)?;
                    hold(&mut self.held, text);
                }
                changed = self.wishes.changed() => {
                    if changed.is_err() || self.wishes.borrow().closing {
                        return Err(Closing);
                    }
                }
            }
        }
    }

    fn hold(&mut self, text: String) {
        hold(&mut self.held, text);
    }

    fn check_open(&self, owner_lives: bool) -> Result<(), Closing> {
        if owner_lives && !self.wishes.borrow().closing {
            Ok(())
        } else {
            Err(Closing)
        }
    }
}

fn hold(held: &mut VecDeque<String>, text: String) {
    if held.len() == HELD {
        held.pop_front();
        tracing::warn!(
            kept = HELD,
            "oldest text dropped while the signaling link is down"
        );
    }
    held.push_back(text);
}

/// When the next ping frame is due, if ever.
struct Pings(Option<tokio::time::Interval>);

impl Pings {
    fn new(every: Option<Duration>) -> Self {
        Self(every.map(|every| {
            let first = tokio::time::Instant::now() + every;
            let mut pings = tokio::time::interval_at(first, every);
            // After a sleep of the machine one ping says as much as many.
            pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            pings
        }))
    }

    /// Waits for it. Cancelling loses none.
    async fn due(&mut self) {
        match &mut self.0 {
            Some(pings) => _ = pings.tick().await,
            None => std::future::pending().await,
        }
    }
}

async fn ping(link: &mut Link) -> Result<(), DownCause> {
    let sent = link.socket.send(Message::Ping(Default::default()));
    match tokio::time::timeout(WRITE_LIMIT, sent).await {
        Ok(sent) => sent.map_err(loss),
        Err(_) => Err(DownCause::Lost("server takes no data".to_owned())),
    }
}

/// Writes one text; what could not be written is held for the next link.
async fn write(held: &mut VecDeque<String>, link: &mut Link, text: String) -> Result<(), DownCause> {
    let message = match link.encoding.encode(text.clone()) {
        Ok(Frame::Text(text)) => Message::text(text),
        Ok(Frame::Binary(bytes)) => Message::binary(bytes),
        Err(error) => {
            // The server would refuse it, and every link after this one too.
            tracing::warn!(%error, "a message is dropped");
            return Ok(());
        }
    };
    let sent = tokio::time::timeout(WRITE_LIMIT, link.socket.send(message)).await;
    let cause = match sent {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => loss(error),
        Err(_) => DownCause::Lost("server takes no data".to_owned()),
    };
    held.push_front(text);
    Err(cause)
}

/// Reads one frame once the owner has room for it. Cancelling loses nothing: the frame is read last.
/// Reads until the other side has closed too: a socket that is dropped with something unread in it, or by a program that
/// ends, takes back what was sent and lost on the way, and the last words with it.
async fn until_answered(link: &mut Link) {
    while let Some(Ok(_)) = link.socket.next().await {}
}

async fn next_frame<'a>(
    incoming: &'a mpsc::Sender<LinkEvent>,
    link: &mut Link,
) -> Result<(mpsc::Permit<'a, LinkEvent>, Result<LinkEvent, DownCause>), Closing> {
    let permit = incoming.reserve().await.map_err(|_| Closing)?;
    let frame = match link.socket.next().await {
        Some(Ok(Message::Text(text))) => decoded(link.encoding.decode_text(&text)),
        Some(Ok(Message::Binary(bytes))) => decoded(link.encoding.decode_binary(&bytes)),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(LinkEvent::Alive),
        Some(Ok(Message::Close(frame))) => Err(aftermath::closed(frame.map(|frame| frame.code.into()))),
        Some(Ok(Message::Frame(_))) => Err(DownCause::BadFrame("a raw frame".to_owned())),
        Some(Err(error)) => Err(loss(error)),
        None => Err(DownCause::Lost("closed without a farewell".to_owned())),
    };
    Ok((permit, frame))
}

fn decoded(text: Result<String, DecodeError>) -> Result<LinkEvent, DownCause> {
    text.map(LinkEvent::Text).map_err(|error| match error {
        DecodeError::WrongFrameKind => DownCause::BadFrame(error.to_string()),
        DecodeError::TooBig => DownCause::TooBig(error.to_string()),
        DecodeError::Undecodable(_) => DownCause::Undecodable(error.to_string()),
    })
}

fn loss(error: tungstenite::Error) -> DownCause {
    match error {
        tungstenite::Error::Capacity(error) => DownCause::TooBig(error.to_string()),
        tungstenite::Error::Utf8(error) => DownCause::Undecodable(error),
        error => DownCause::Lost(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
