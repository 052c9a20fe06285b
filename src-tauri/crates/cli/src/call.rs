//! `call` and `listen`: one client, its events on stdout, commands from stdin.

use crate::address;
use crate::args::{AnswerMode, AuthWay, CallArgs, Codec, IcePolicy, ListenArgs, SessionArgs, VoiceWay};
use crate::events;
use crate::exit::Exit;
use crate::interrupt;
use crate::output::Output;
use crate::stdin::StdinCommands;
use ahoy_call::{CallState, Party};
use ahoy_client::{
    Client, ClientEvent, ClientHandle, Command, Credentials, DeviceChoice, EndedCall, Limits, Settings,
};
use ahoy_devices::SystemDevices;
use ahoy_media::audio::voice::{NoiseSuppression, VoiceSettings};
use ahoy_media::codec::opus::OpusWish;
use ahoy_media::codec::{PictureCodec, SoundCodec};
use ahoy_media::synthetic::devices::SyntheticDevices;
use ahoy_media::units::Bitrate;
use ahoy_signaling::Auth;
use ahoy_signaling::zlm::MEDIA_SERVER_ROOM;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Places one call.
pub async fn place(args: CallArgs, output: Output) -> Exit {
    let placing = match address::placing(&args) {
        Ok(placing) => placing,
        Err(error) => return Exit::Usage(error),
    };
    let mut session = match Session::start(args.session, output) {
        Ok(session) => session,
        Err(error) => return Exit::Usage(error),
    };
    loop {
        match session.next().await {
            Step::SignedIn => {
                if let Err(refused) = session.client.command(placing.clone()).await {
                    return session.stop(Exit::NotTaken(refused.to_string())).await;
                }
            }
            Step::Ended(ended) => return session.stop(Exit::of(&ended)).await,
            Step::Failed(exit) => return session.stop(exit).await,
            Step::Interrupted => return session.stop(Exit::Ok).await,
            Step::Incoming { .. } => {}
        }
    }
}

/// Answers calls as told.
pub async fn listen(args: ListenArgs, output: Output) -> Exit {
    let mut session = match Session::start(args.session, output) {
        Ok(session) => session,
        Err(error) => return Exit::Usage(error),
    };
    let mut ended_calls = 0;
    loop {
        match session.next().await {
            Step::Incoming { video, impatient } => {
                let command = match args.answer {
                    None => Some(Command::Accept { video }),
                    Some(AnswerMode::Audio) => Some(Command::Accept { video: false }),
                    Some(AnswerMode::Video) => Some(Command::Accept { video: true }),
                    Some(AnswerMode::Decline) => Some(Command::Decline),
                    Some(AnswerMode::Busy) => Some(Command::Busy),
                    Some(AnswerMode::Ignore) => None,
                };
                session.pending_answer = command.map(|command| {
                    // A media server that calls waits for nobody.
                    let wait = if impatient { 0.0 } else { args.answer_after };
                    (Instant::now() + Duration::from_secs_f64(wait), command)
                });
            }
            Step::Ended(ended) => {
                ended_calls += 1;
                if args.calls.is_some_and(|calls| ended_calls >= calls) {
                    let exit = if args.calls == Some(1) {
                        Exit::of(&ended)
                    } else {
                        Exit::Ok
                    };
                    return session.stop(exit).await;
                }
                if let Some(exit) = session.signed_out.take() {
                    return session.stop(exit).await;
                }
            }
            Step::Failed(exit) => return session.stop(exit).await,
            Step::Interrupted => return session.stop(Exit::Ok).await,
            Step::SignedIn => {}
        }
    }
}

enum Step {
    SignedIn,
    Incoming { video: bool, impatient: bool },
    Ended(Box<EndedCall>),
    Failed(Exit),
    Interrupted,
}

struct Session {
    client: ClientHandle,
    events: mpsc::Receiver<ClientEvent>,
    probes: Arc<SyntheticDevices>,
    output: Output,
    stdin: StdinCommands,
    hang_up_after: Option<Duration>,
    hang_up_at: Option<Instant>,
    pending_answer: Option<(Instant, Command)>,
    in_call: bool,
    interrupted: bool,
    signed_in: bool,
    /// The sign-in ended during a call, and how the program ends after it.
    signed_out: Option<Exit>,
}

impl Session {
    fn start(args: SessionArgs, output: Output) -> Result<Self, String> {
        let credentials = address::credentials(&args)?;
        let hang_up_after = args.hang_up_after.map(Duration::from_secs_f64);
        let probes = Arc::new(SyntheticDevices::new());
        let devices = Arc::new(SystemDevices::new(probes.clone()));
        let (client, events) = Client::start(settings(args, credentials), devices);
        Ok(Self {
            client,
            events,
            probes,
            output,
            stdin: StdinCommands::new(),
            hang_up_after,
            hang_up_at: None,
            pending_answer: None,
            in_call: false,
            interrupted: false,
            signed_in: false,
            signed_out: None,
        })
    }

    /// Prints what happens until something needs a decision.
    async fn next(&mut self) -> Step {
        loop {
            let wake = [self.hang_up_at, self.pending_answer.as_ref().map(|(at, _)| *at)]
                .into_iter()
                .flatten()
                .min();
            tokio::select! {
                event = self.events.recv() => {
                    let Some(event) = event else {
                        return Step::Failed(Exit::Failed("the client stopped".to_owned()));
                    };
                    events::print(self.output, &self.probes, &event);
                    if let Some(step) = self.step(event) {
                        return step;
                    }
                }
                () = interrupt::wait(), if !self.interrupted => {
                    self.interrupted = true;
                    if !self.in_call || self.client.command(Command::HangUp).await.is_err() {
                        return Step::Interrupted;
                    }
                }
                command = self.stdin.next() => self.obey(command).await,
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => self.act_on_time().await,
            }
        }
    }

    fn step(&mut self, event: ClientEvent) -> Option<Step> {
        match event {
            ClientEvent::SignedIn { .. } if self.signed_in => None,
            ClientEvent::SignedIn { .. } => {
                self.signed_in = true;
                Some(Step::SignedIn)
            }
            // A call that goes on needs no server to its end.
            ClientEvent::SignInFailed { problem } if self.in_call => {
                self.signed_out = Some(Exit::not_signed_in(&problem));
                None
            }
            ClientEvent::SignInFailed { problem } => Some(Step::Failed(Exit::not_signed_in(&problem))),
            // Before the first sign-in nobody waits for a server that is not there.
            ClientEvent::ServerLost { problem, .. } if !self.signed_in => {
                Some(Step::Failed(Exit::not_signed_in(&problem)))
            }
            ClientEvent::Incoming { video, from, .. } => Some(Step::Incoming {
                video,
                impatient: matches!(from, Party::Room(room) if room.as_str().starts_with(MEDIA_SERVER_ROOM)),
            }),
            ClientEvent::State { state, .. } => {
                self.in_call = true;
                if state == CallState::Connected && self.hang_up_at.is_none() {
                    self.hang_up_at = self.hang_up_after.map(|after| Instant::now() + after);
                }
                None
            }
            ClientEvent::Ended(ended) => {
                self.in_call = false;
                self.hang_up_at = None;
                self.pending_answer = None;
                Some(if self.interrupted {
                    Step::Interrupted
                } else {
                    Step::Ended(Box::new(ended))
                })
            }
            ClientEvent::ServerLost { .. }
            | ClientEvent::Media { .. }
            | ClientEvent::Picture(_)
            | ClientEvent::Digit(_)
            | ClientEvent::Stats(_)
            | ClientEvent::Verdict(_)
            | ClientEvent::Notice(_) => None,
        }
    }

    async fn act_on_time(&mut self) {
        let now = Instant::now();
        if self.hang_up_at.is_some_and(|at| at <= now) {
            self.hang_up_at = None;
            self.obey(Ok(Command::HangUp)).await;
        }
        if self.pending_answer.as_ref().is_some_and(|(at, _)| *at <= now)
            && let Some((_, command)) = self.pending_answer.take()
        {
            self.obey(Ok(command)).await;
        }
    }

    async fn obey(&self, command: Result<Command, String>) {
        let refused = match command {
            Ok(command) => self
                .client
                .command(command)
                .await
                .err()
                .map(|refused| refused.to_string()),
            Err(text) => Some(text),
        };
        if let Some(text) = refused {
            self.output
                .line(&json!({"event": "notice", "code": "command_refused", "text": text}));
        }
    }

    async fn stop(self, exit: Exit) -> Exit {
        self.client.stop().await;
        exit
    }
}

/// The codecs of one kind that were named; all where none was.
fn wanted<C: Copy>(named: &[Codec], all: &[C], of_kind: impl Fn(Codec) -> Option<C>) -> Vec<C> {
    let wanted: Vec<C> = named.iter().copied().filter_map(of_kind).collect();
    if wanted.is_empty() { all.to_vec() } else { wanted }
}

fn settings(args: SessionArgs, credentials: Credentials) -> Settings {
    let defaults = Limits::default();
    Settings {
        server: args.server,
        credentials,
        device_id: format!("cli-{}", std::process::id()),
        insecure_server: args.insecure_ws,
        auth: match args.auth {
            AuthWay::Header => Auth::Header,
            AuthWay::Auto => Auth::Auto,
        },
        devices: DeviceChoice {
            microphone: args.mic,
            speaker: args.speaker,
            camera: args.camera,
            screen: args.screen,
            ring: None,
            fall_back: true,
        },
        limits: Limits {
            max_bandwidth: args
                .max_bandwidth
                .map_or(defaults.max_bandwidth, Bitrate::from_bps),
            min_bandwidth: args
                .min_bandwidth
                .map_or(defaults.min_bandwidth, Bitrate::from_bps),
            resolution: args.size.unwrap_or(defaults.resolution),
            frame_rate: args.fps.unwrap_or(defaults.frame_rate),
        },
        audio_codecs: wanted(&args.codec, &SoundCodec::ALL, |codec| match codec {
            Codec::Sound(codec) => Some(codec),
            Codec::Picture(_) => None,
        }),
        video_codecs: wanted(&args.codec, &PictureCodec::ALL, |codec| match codec {
            Codec::Picture(codec) => Some(codec),
            Codec::Sound(_) => None,
        }),
        opus: OpusWish {
            mode: args.sound,
            dtx: args.dtx,
        },
        camera_rotation: args.rotate_camera,
        voice: match args.voice {
            VoiceWay::Raw => VoiceSettings::default(),
            VoiceWay::Clean => VoiceSettings::usual(),
            VoiceWay::Strong => VoiceSettings {
                noise_suppression: NoiseSuppression::Strong,
                ..VoiceSettings::usual()
            },
        },
        ice_servers: args.ice_server,
        relay_only: args.ice == IcePolicy::Relay,
        loopback: true,
        auto_answer: false,
        stats_interval: Duration::from_secs_f64(args.stats_interval),
    }
}
