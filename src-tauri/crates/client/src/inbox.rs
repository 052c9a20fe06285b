//! What tasks and media threads tell the actor.

use crate::account::AccountNews;
use crate::media_news::MediaNews;
use crate::peer_task::PeerNews;
use ahoy_call::CallId;
use ahoy_signaling::{Login, LoginError};
use tokio::sync::mpsc;

/// Messages to the actor. Tasks wait when it is full; media threads drop (what they tell is told again or is counted).
const QUEUE: usize = 256;

pub(crate) enum Message {
    Peer {
        call: CallId,
        news: PeerNews,
    },
    Media {
        call: CallId,
        news: MediaNews,
    },
    /// A login or a refresh gave a token, or why not.
    Login(Result<Login, LoginError>),
    /// The server answered a question over REST.
    Account(AccountNews),
    /// The system has other addresses than before.
    NetworkChanged,
}

/// The way into the actor, for its own tasks and threads.
#[derive(Clone)]
pub(crate) struct Inbox(mpsc::Sender<Message>);

impl Inbox {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Message>) {
        let (tx, rx) = mpsc::channel(QUEUE);
        (Self(tx), rx)
    }

    pub(crate) async fn peer(&self, call: &CallId, news: PeerNews) {
        self.send(Message::Peer {
            call: call.clone(),
            news,
        })
        .await;
    }

    pub(crate) async fn send(&self, message: Message) {
        if self.0.send(message).await.is_err() {
            tracing::debug!("the client has stopped; a message to it is dropped");
        }
    }

    /// From the watcher's thread: never blocks. A full queue is followed by the silence of dead connections.
    pub(crate) fn network_changed(&self) {
        if self.0.try_send(Message::NetworkChanged).is_err() {
            tracing::debug!("the client is busy or has stopped; a change of network is not told");
        }
    }

    /// From a media thread: never blocks.
    pub(crate) fn media(&self, call: &CallId, news: MediaNews) {
        if self
            .0
            .try_send(Message::Media {
                call: call.clone(),
                news,
            })
            .is_err()
        {
            tracing::debug!("the client is busy or has stopped; news of media dropped");
        }
    }

    /// From a blocking thread that must be heard.
    pub(crate) fn media_opened(&self, call: &CallId, news: MediaNews) {
        if self
            .0
            .blocking_send(Message::Media {
                call: call.clone(),
                news,
            })
            .is_err()
        {
            tracing::debug!("the client has stopped; opened media is closed");
        }
    }
}
