//! A machine that moves from one address to another in the middle of a call (GOALS S20).

use super::lossy::{Loss, LossyRuntime};
use super::support::{AUDIO, DEADLINE, Party, arrived, connect, loopback, restart, sounds, stream};
use crate::engine::Workarounds;
use crate::interfaces::Interfaces;
use crate::peer::Setup;
use crate::{Peer, PeerEvent, TransportState};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long the other side may hear nothing (GOALS S20).
const BACK_WITHIN: Duration = Duration::from_secs(3);

/// A call whose side `a` lives at an address that can go, and streams sound.
struct Moving {
    a: Party,
    b: Party,
    interfaces: Interfaces,
    loss: Arc<Loss>,
    sending: JoinHandle<()>,
}

impl Moving {
    async fn begin(own: IpAddr) -> Self {
        let interfaces = Interfaces::new(false);
        pretend(&interfaces, &[own]);
        let loss = Arc::new(Loss::default());
        let (tx, rx) = mpsc::channel(64);
        let setup = Setup {
            runtime: Arc::new(LossyRuntime(loss.clone())),
            interfaces: Some(interfaces.clone()),
            workarounds: Workarounds::default(),
        };
        let peer = Peer::with_setup(loopback(), tx, setup).await.expect("a peer");
        let mut a = Party::from_peer(peer, rx);
        let mut b = Party::new().await;
        connect(&mut a, &mut b, AUDIO).await;
        let packets = stream(a.peer.audio_out(), Duration::from_millis(20), sounds(3000));
        let sending = tokio::spawn(packets);
        arrived(&mut b.audio, |packets| packets.len() >= 20).await;
        Self {
            a,
            b,
            interfaces,
            loss,
            sending,
        }
    }

    /// The restart after which sound must arrive again in time.
    async fn moves_in_time(&mut self) {
        let since = Instant::now();
        assert!(self.a.peer.network_changed().await, "only a restart helps");
        let before = self.b.audio.borrow().len();
        restart(&self.a, &self.b).await;
        arrived(&mut self.b.audio, |packets| packets.len() >= before + 20).await;
        // Twenty sounds last 0.4 s.
        assert!(since.elapsed() < BACK_WITHIN, "{:?}", since.elapsed());
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.sending.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_is_back_within_three_seconds_at_another_address() {
    let (first, second) = (address(2), address(3));
    let mut call = Moving::begin(first).await;
    assert!(!call.a.peer.network_changed().await);
    pretend(&call.interfaces, &[second]);
    call.loss.kill(first);
    call.moves_in_time().await;
    let local = call.a.peer.stats().await.transport.local.expect("a path");
    assert_eq!(local.address.map(|address| address.ip()), Some(second));
    assert!(!call.a.peer.network_changed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_was_down_for_seconds_is_taken_when_it_is_back() {
    let own = address(4);
    let mut call = Moving::begin(own).await;
    pretend(&call.interfaces, &[]);
    call.loss.kill(own);
    call.b.told(&PeerEvent::State(TransportState::Disconnected)).await;
    // A restart without any address finds nothing, and an address that comes is a reason for another.
    restart(&call.a, &call.b).await;
    nothing_to_change(&call.a).await;
    pretend(&call.interfaces, &[own]);
    call.loss.revive();
    call.moves_in_time().await;
}

/// The library binds its sockets anew by itself, some time after the restart was negotiated.
async fn nothing_to_change(party: &Party) {
    let mut looks = tokio::time::interval(Duration::from_millis(5));
    let settled = async {
        while party.peer.network_changed().await {
            looks.tick().await;
        }
    };
    assert!(
        tokio::time::timeout(DEADLINE, settled).await.is_ok(),
        "every look asks for another restart"
    );
}

/// Every address of 127/8 is this machine.
fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

fn pretend(interfaces: &Interfaces, list: &[IpAddr]) {
    *interfaces.pretended.lock().expect("no test panics here") = Some(list.to_vec());
}
