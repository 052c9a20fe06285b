//! The moment between ringing and answering, a thousand times over (GOALS S4): decline racing accept, a second accept, and
//! an accept after the caller gave up. Signals of each direction keep their order; everything else is chance.

use crate::rng::Rng;
use ahoy_call::*;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const RUNS: u64 = 1_000;

struct Side {
    endpoint: Endpoint,
    /// What the other side has sent and this one has not heard.
    inbox: VecDeque<Signal>,
    /// What the peer connection and the media are about to say.
    peer: VecDeque<PeerInput>,
    started: u32,
    ends: Vec<CallEnd>,
}

fn user(number: u64) -> Party {
    Party::User(UserId::new(number).expect("a valid id"))
}

fn call() -> CallId {
    CallId::new("c").expect("a valid id")
}

impl Side {
    fn new(number: u64) -> Self {
        Self {
            endpoint: Endpoint::new(EndpointConfig {
                me: user(number),
                ring_timeout: Duration::from_secs(30),
                basic_mode: false,
            }),
            inbox: VecDeque::new(),
            peer: VecDeque::new(),
            started: 0,
            ends: Vec::new(),
        }
    }

    /// Performs everything; returns what the other side is to hear.
    fn perform(&mut self) -> Vec<Signal> {
        let mut told = Vec::new();
        while let Some(action) = self.endpoint.poll_action() {
            let over = !self.ends.is_empty();
            match action {
                Action::SendSignal(signal) => told.push(signal),
                Action::CreateOffer { .. } => self.peer.push_back(PeerInput::LocalOffer { sdp: "o".into() }),
                Action::CreateAnswer { .. } => {
                    assert!(!over, "an answer after the end");
                    self.peer.push_back(PeerInput::LocalAnswer { sdp: "a".into() });
                }
                Action::ApplyAnswer { .. } => self.peer.push_back(PeerInput::Connected),
                Action::StartMedia { .. } => {
                    assert!(!over, "media after the end");
                    self.started += 1;
                }
                Action::Ended { end, .. } => self.ends.push(end),
                Action::StopMedia { .. }
                | Action::AddCandidate { .. }
                | Action::Ring { .. }
                | Action::CreateReoffer { .. }
                | Action::CreateReanswer { .. }
                | Action::SendInBand { .. }
                | Action::SignalingLost { .. }
                | Action::VideoChanged { .. } => {}
            }
        }
        told
    }
}

#[test]
fn a_race_at_the_answer_has_one_end_on_both_sides_and_no_media_after_it() {
    let start = Instant::now();
    let mut talked = 0;
    for seed in 0..RUNS {
        talked += u32::from(one_race(start, seed));
    }
    assert!((100..900).contains(&talked), "{talked} of {RUNS} were answered");
}

/// Whether both sides had media.
fn one_race(start: Instant, seed: u64) -> bool {
    let mut rng = Rng::new(seed);
    let mut sides = [Side::new(1), Side::new(2)];
    let placed = Command::PlaceCall {
        call: call(),
        to: user(2),
        video: false,
        constraints: Constraints::default(),
        hide_addresses: false,
        stream: None,
    };
    sides[0]
        .endpoint
        .handle_command(start, placed)
        .expect("an idle endpoint");
    // The two users' fingers, in an order that chance mixes with everything else.
    let mut fingers = vec![
        (
            1,
            Command::Accept {
                call: call(),
                video: false,
            },
        ),
        (
            1,
            Command::Accept {
                call: call(),
                video: false,
            },
        ),
        (1, Command::Decline { call: call() }),
        (0, Command::HangUp { call: call() }),
    ];
    fingers.retain(|_| rng.chance(60));
    let mut now = start;
    loop {
        for side in 0..2 {
            let told = sides[side].perform();
            sides[1 - side].inbox.extend(told);
        }
        now += Duration::from_millis(1);
        let rings = sides[1].endpoint.snapshot().is_some() || !sides[1].ends.is_empty();
        let mut choices: Vec<u64> = Vec::new();
        choices.extend((0..2).filter(|&side| !sides[side as usize].inbox.is_empty()));
        choices.extend((2..4).filter(|&side| !sides[side as usize - 2].peer.is_empty()));
        if !fingers.is_empty() && rings {
            choices.push(4);
        }
        let Some(limit) = (!choices.is_empty()).then_some(choices.len() as u64) else {
            break;
        };
        match choices[rng.below(limit) as usize] {
            side @ 0..2 => {
                let side = &mut sides[side as usize];
                let signal = side.inbox.pop_front().expect("it is not empty");
                side.endpoint.handle_signal(now, signal);
            }
            side @ 2..4 => {
                let side = &mut sides[side as usize - 2];
                let input = side.peer.pop_front().expect("it is not empty");
                side.endpoint.handle_peer(now, &call(), input);
            }
            _ => {
                let (side, command) = fingers.swap_remove(rng.below(fingers.len() as u64) as usize);
                // A button of a call that is over, or answered already, does nothing.
                let _refused = sides[side].endpoint.handle_command(now, command);
            }
        }
    }
    let over = sides.each_ref().map(|side| side.endpoint.snapshot().is_none());
    assert_eq!(over[0], over[1], "seed {seed}: one side is alone");
    for side in &sides {
        assert!(side.started <= 1 && side.ends.len() <= 1, "seed {seed}");
        assert_eq!(side.ends.len(), usize::from(over[0]), "seed {seed}");
    }
    sides.iter().all(|side| side.started == 1)
}
