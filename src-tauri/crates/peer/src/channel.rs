//! The connection's own data channel: a few words to the other side that need no signaling.
//!
//! The side that offers first opens it in-band (RFC 8832). A side that does not know it refuses its section, or never
//! reads it, and the call works without. One task per connection reads it; nothing here knows what the words mean.

use crate::event::PeerEvent;
use crate::outlet::Outlet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;
use webrtc::data_channel::{DataChannel, DataChannelEvent};

/// The label by which both sides know it.
pub(crate) const LABEL: &str = "ahoy";

/// Longest message taken, in bytes; chosen, not measured: the end of a call takes some 150.
const LONGEST: usize = 1024;
/// Messages taken over the life of a connection. Chosen: a call ends once, and nobody may flood the events of the
/// transport, which share their queue with these. Further ones are dropped.
const MOST: u32 = 32;

/// How long the last words of a connection may take to be acknowledged before it is closed. Chosen: two round trips
/// around the world.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(600);
/// Between two looks whether they are; chosen, not measured.
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[derive(Default)]
pub(crate) struct Channel(Mutex<Option<Open>>);

#[derive(Clone)]
struct Open {
    channel: Arc<dyn DataChannel>,
    writable: bool,
    reader: Option<AbortHandle>,
}

impl Channel {
    /// Takes the channel and reads it from here on; a second one of the same connection is not read.
    pub(crate) fn take(self: &Arc<Self>, channel: Arc<dyn DataChannel>, outlet: Arc<Outlet>) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_some() {
            return tracing::debug!("a second data channel is not read");
        }
        *slot = Some(Open {
            channel: channel.clone(),
            writable: false,
            reader: None,
        });
        let reader = tokio::spawn(read(Arc::clone(self), channel, outlet));
        if let Some(open) = &mut *slot {
            open.reader = Some(reader.abort_handle());
        }
    }

    /// Lets go of the channel: it holds the connection, which holds the owner of this.
    pub(crate) fn close(&self) {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = open.and_then(|open| open.reader) {
            reader.abort();
        }
    }

    /// Says something and waits until the other side has it; `false` = there is no channel, or no word came back.
    pub(crate) async fn say(&self, text: &str) -> bool {
        let Some(channel) = self.writable() else {
            return false;
        };
        if let Err(error) = channel.send_text(text).await {
            tracing::debug!(%error, "nothing said over the data channel");
            return false;
        }
        let acknowledged = async {
            let mut looks = tokio::time::interval(LOOK_EVERY);
            loop {
                looks.tick().await;
                match channel.outstanding_bytes().await {
                    Ok(0) => return true,
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
        };
        tokio::time::timeout(ACKNOWLEDGED_WITHIN, acknowledged)
            .await
            .unwrap_or(false)
    }

    fn writable(&self) -> Option<Arc<dyn DataChannel>> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = slot.as_ref().filter(|open| open.writable)?;
        Some(open.channel.clone())
    }

    fn set_writable(&self, writable: bool) {
        if let Some(open) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            open.writable = writable;
        }
    }
}

/// Reads the channel until it or the connection ends.
async fn read(held: Arc<Channel>, channel: Arc<dyn DataChannel>, outlet: Arc<Outlet>) {
    let mut taken = 0;
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnOpen => {
                tracing::debug!("data channel open");
                held.set_writable(true);
            }
            DataChannelEvent::OnMessage(message) => {
                let text = String::from_utf8(message.data.to_vec()).ok();
                let readable = message.is_string && message.data.len() <= LONGEST && taken < MOST;
                match text.filter(|_| readable) {
                    Some(text) => {
                        taken += 1;
                        outlet.push(PeerEvent::Message(text));
                    }
                    None => tracing::debug!("message over the data channel skipped"),
                }
            }
            DataChannelEvent::OnClose => {
                held.set_writable(false);
                outlet.push(PeerEvent::ChannelClosed);
                return;
            }
            // Amounts and errors: what follows from them is a close.
            _ => {}
        }
    }
}
