//! Who is signed in where. One task owns the client and, without a configured server, the embedded one; a sign-in
//! replaces both. It knows neither windows nor the page: it publishes view models, picture slots, and the client to
//! give commands to.

mod invited;
mod sign_in;
mod sound;

pub use sign_in::SignIn;
pub use sound::SoundUse;

use crate::arguments::Arguments;
use crate::embedded::{self, Embedded};
use crate::settings_file::{SettingsFile, StoredSettings, StoredVoice};
use crate::video_feed::PictureSlots;
use crate::view_model::{self, Account, ProblemView, ServerPhase, ServerView, SoundView, ViewModel};
use ahoy_client::{Client, ClientHandle, Command, Credentials, DeviceChoice, RingChoice, Settings, Snapshot};
use ahoy_devices::DeviceDescription;
use ahoy_media::codec::opus::OpusWish;
use ahoy_media::codec::{PictureCodec, SoundCodec};
use ahoy_media::device::{DeviceKind, Devices};
use ahoy_media::spec::DeviceSpec;
use ahoy_media::video::Rotation;
use ahoy_signaling::ProtocolKind;
use invited::{Asked, Pending};
use sound::SoundCheck;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Wishes that wait while a sign-in is made; a further one waits at its sender.
const WISHES: usize = 8;

/// How often "next attempt in" is counted down.
const COUNTDOWN: Duration = Duration::from_secs(1);

enum Wish {
    SignIn(SignIn, oneshot::Sender<Result<(), ProblemView>>),
    UseEmbedded(oneshot::Sender<Result<(), ProblemView>>),
    SetVoice(StoredVoice, oneshot::Sender<Result<(), ProblemView>>),
    SetCameraRotation(u32, oneshot::Sender<Result<(), ProblemView>>),
    /// The page shows the devices for sound, or no longer.
    ShowSound(bool, oneshot::Sender<Result<(), ProblemView>>),
    SetSound(SoundChange, oneshot::Sender<Result<(), ProblemView>>),
    TestSound(SoundUse, oneshot::Sender<Result<(), ProblemView>>),
    /// Asks the person about a link that was pasted.
    Ask(String, oneshot::Sender<Result<(), ProblemView>>),
    /// Asks about one that the system handed over.
    AskOfSystem(String),
    /// Calls the room of the invitation; with the camera if so.
    AcceptInvitation(bool, oneshot::Sender<Result<(), ProblemView>>),
    DismissInvitation(oneshot::Sender<Result<(), ProblemView>>),
    /// Hang up, sign out, let go of everything, end.
    Stop,
}

enum SoundChange {
    /// A device spec; `None` = the ring is heard on the speaker.
    Device(SoundUse, Option<String>),
    /// Percent.
    RingVolume(u8),
}

/// The session as commands and the window see it; clones speak to the same one.
#[derive(Clone)]
pub struct SessionHandle {
    wishes: mpsc::Sender<Wish>,
    views: watch::Receiver<Arc<ViewModel>>,
    slots: watch::Receiver<PictureSlots>,
    client: watch::Receiver<Option<ClientHandle>>,
}

impl SessionHandle {
    /// What the page shows, as a value that changes.
    pub fn views(&self) -> watch::Receiver<Arc<ViewModel>> {
        self.views.clone()
    }

    /// Where the pictures of the present client are.
    pub fn slots(&self) -> watch::Receiver<PictureSlots> {
        self.slots.clone()
    }

    /// Gives the client a command; refused when nobody is signed in.
    pub async fn command(&self, command: Command) -> Result<(), ProblemView> {
        let client = self.client.borrow().clone();
        let Some(client) = client else {
            return Err(problem("not_signed_in", "nobody is signed in"));
        };
        client
            .command(command)
            .await
            .map_err(|refused| problem(refused.code(), &refused.to_string()))
    }

    /// Signs in on another server.
    pub async fn sign_in(&self, sign_in: SignIn) -> Result<(), ProblemView> {
        self.wish(|reply| Wish::SignIn(sign_in, reply)).await
    }

    /// Goes back to the embedded server.
    pub async fn use_embedded(&self) -> Result<(), ProblemView> {
        self.wish(Wish::UseEmbedded).await
    }

    /// Cleans the voice otherwise, from now on and after the next start.
    pub async fn set_voice(&self, voice: StoredVoice) -> Result<(), ProblemView> {
        self.wish(|reply| Wish::SetVoice(voice, reply)).await
    }

    /// Turns the camera's pictures by these degrees, from now on and after the next start.
    pub async fn set_camera_rotation(&self, degrees: u32) -> Result<(), ProblemView> {
        self.wish(|reply| Wish::SetCameraRotation(degrees, reply)).await
    }

    /// The page shows the devices for sound, or no longer; the microphone is open meanwhile, unless there is a call.
    pub async fn show_sound(&self, shown: bool) -> Result<(), ProblemView> {
        self.wish(|reply| Wish::ShowSound(shown, reply)).await
    }

    /// Uses another device, from now on and after the next start. `None` lets the ring be heard on the speaker.
    pub async fn set_sound_device(&self, used: SoundUse, spec: Option<String>) -> Result<(), ProblemView> {
        self.wish(|reply| Wish::SetSound(SoundChange::Device(used, spec), reply))
            .await
    }

    /// Rings as loudly as this, in percent, from the next call on.
    pub async fn set_ring_volume(&self, percent: u8) -> Result<(), ProblemView> {
        self.wish(|reply| Wish::SetSound(SoundChange::RingVolume(percent), reply))
            .await
    }

    /// Plays a sound on the speaker, or a ring where calls ring.
    pub async fn test_sound(&self, used: SoundUse) -> Result<(), ProblemView> {
        self.wish(|reply| Wish::TestSound(used, reply)).await
    }

    /// Shows an invitation that was pasted, to be accepted or not.
    pub async fn ask(&self, link: String) -> Result<(), ProblemView> {
        self.wish(|reply| Wish::Ask(link, reply)).await
    }

    /// Shows an invitation that the system handed over, or what is wrong with it; returns before that is done.
    pub async fn ask_of_system(&self, link: String) {
        if self.wishes.send(Wish::AskOfSystem(link)).await.is_err() {
            tracing::debug!("a link came while the window was closing");
        }
    }

    /// Calls the room of the shown invitation, after a sign-in on its server.
    pub async fn accept_invitation(&self, video: bool) -> Result<(), ProblemView> {
        self.wish(|reply| Wish::AcceptInvitation(video, reply)).await
    }

    /// Forgets the shown invitation.
    pub async fn dismiss_invitation(&self) -> Result<(), ProblemView> {
        self.wish(Wish::DismissInvitation).await
    }

    async fn wish(
        &self,
        wish: impl FnOnce(oneshot::Sender<Result<(), ProblemView>>) -> Wish,
    ) -> Result<(), ProblemView> {
        let stopped = || problem("stopped", "the window is closing");
        let (reply_tx, reply_rx) = oneshot::channel();
        self.wishes.send(wish(reply_tx)).await.map_err(|_| stopped())?;
        reply_rx.await.map_err(|_| stopped())?
    }

    /// Hangs up, signs out, and returns when devices and sockets are free.
    pub async fn stop(&self) {
        if self.wishes.send(Wish::Stop).await.is_ok() {
            self.wishes.closed().await;
        }
    }
}

/// The one owner of the sign-in.
pub struct Session {
    arguments: Arguments,
    settings: StoredSettings,
    file: SettingsFile,
    devices: Arc<dyn Devices>,
    /// What the next call uses.
    choice: DeviceChoice,
    sound: SoundCheck,
    asked: Option<Asked>,
    /// The call of an accepted invitation, until its server is there.
    pending: Option<Pending>,
    state: State,
    views: watch::Sender<Arc<ViewModel>>,
    slots: watch::Sender<PictureSlots>,
    client: watch::Sender<Option<ClientHandle>>,
}

enum State {
    SignedOut {
        server: String,
        embedded: bool,
        problem: Option<ProblemView>,
    },
    SignedIn(Box<SignedIn>),
}

struct SignedIn {
    client: ClientHandle,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    account: Account,
    embedded: Option<Embedded>,
}

impl Session {
    /// Makes a session that signs in as the command line or the settings say, once it runs. `list` tells what devices
    /// for sound there are; it may block.
    pub fn prepare(
        arguments: Arguments,
        settings: StoredSettings,
        file: SettingsFile,
        devices: Arc<dyn Devices>,
        list: fn() -> Vec<DeviceDescription>,
    ) -> (SessionHandle, impl Future<Output = ()> + Send) {
        let state = State::SignedOut {
            server: arguments
                .server
                .clone()
                .or_else(|| settings.server.clone())
                .unwrap_or_default(),
            embedded: false,
            problem: None,
        };
        let (wish_tx, wish_rx) = mpsc::channel(WISHES);
        let (views, view_rx) = watch::channel(Arc::new(state.view()));
        let (slots, slot_rx) = watch::channel(PictureSlots::default());
        let (client, client_rx) = watch::channel(None);
        let session = Self {
            choice: sign_in::device_choice(&arguments, &settings),
            sound: SoundCheck::new(Arc::clone(&devices), list),
            asked: arguments.invitation.as_deref().map(Asked::of_link),
            pending: None,
            arguments,
            settings,
            file,
            devices,
            state,
            views,
            slots,
            client,
        };
        let handle = SessionHandle {
            wishes: wish_tx,
            views: view_rx,
            slots: slot_rx,
            client: client_rx,
        };
        (handle, session.run(wish_rx))
    }

    async fn run(mut self, mut wishes: mpsc::Receiver<Wish>) {
        self.begin().await;
        let mut countdown = tokio::time::interval(COUNTDOWN);
        loop {
            if let Err(refused) = self.place_pending().await {
                tracing::warn!(code = refused.code, "the call of an invitation was not placed");
            }
            self.sound.suit(self.state.has_call(), &self.choice.microphone);
            self.publish();
            tokio::select! {
                wish = wishes.recv() => match wish {
                    // Answered also when the asker has gone: then there is nobody to tell.
                    Some(Wish::SignIn(sign_in, reply)) => { let _ = reply.send(self.sign_in(sign_in).await); }
                    Some(Wish::UseEmbedded(reply)) => { let _ = reply.send(self.use_embedded().await); }
                    Some(Wish::SetVoice(voice, reply)) => { let _ = reply.send(self.set_voice(voice).await); }
                    Some(Wish::SetCameraRotation(degrees, reply)) => {
                        let _ = reply.send(self.set_camera_rotation(degrees).await);
                    }
                    Some(Wish::ShowSound(shown, reply)) => {
                        self.sound.show(shown);
                        let _ = reply.send(Ok(()));
                    }
                    Some(Wish::SetSound(change, reply)) => { let _ = reply.send(self.set_sound(change).await); }
                    Some(Wish::TestSound(used, reply)) => self.sound.test(used, &self.choice, reply),
                    Some(Wish::Ask(link, reply)) => { let _ = reply.send(self.ask(&link)); }
                    Some(Wish::AskOfSystem(link)) => self.asked = Some(Asked::of_link(&link)),
                    Some(Wish::AcceptInvitation(video, reply)) => {
                        let _ = reply.send(self.accept_invitation(video).await);
                    }
                    Some(Wish::DismissInvitation(reply)) => {
                        self.asked = None;
                        let _ = reply.send(Ok(()));
                    }
                    Some(Wish::Stop) | None => break,
                },
                () = self.state.changed() => {}
                () = self.sound.changed() => {}
                _ = countdown.tick(), if self.state.is_waiting() => {}
            }
        }
        self.sound.show(false);
        self.sound.suit(false, &self.choice.microphone);
        self.leave().await;
    }

    /// The first sign-in.
    async fn begin(&mut self) {
        if let Some(server) = self.arguments.server.clone() {
            match std::env::var("AHOY_TOKEN") {
                Ok(token) => self.enter(SignIn::by_token(server, token), None),
                Err(_) => {
                    let problem = Some(problem("token_wrong", "--server needs a token in AHOY_TOKEN"));
                    self.state = State::SignedOut {
                        server,
                        embedded: false,
                        problem,
                    };
                }
            }
        } else if self.settings.server.is_none() {
            // What keeps it from starting stands in the view.
            let _ = self.host().await;
        }
        // A configured server needs its secret typed again: none is stored.
    }

    async fn sign_in(&mut self, sign_in: SignIn) -> Result<(), ProblemView> {
        let credentials = sign_in.check()?;
        self.leave().await;
        // The secret of the same server may have been typed.
        self.pending = self
            .pending
            .take()
            .filter(|pending| pending.leads_to(&credentials.server));
        self.settings.server = Some(credentials.server.clone());
        self.settings.user = credentials.user.clone();
        self.save();
        self.enter(credentials, None);
        Ok(())
    }

    async fn use_embedded(&mut self) -> Result<(), ProblemView> {
        self.leave().await;
        self.pending = None;
        self.settings.server = None;
        self.save();
        self.host().await
    }

    async fn set_voice(&mut self, voice: StoredVoice) -> Result<(), ProblemView> {
        self.settings.voice = voice;
        self.save();
        self.tell_client(Command::SetVoice(voice.into())).await
    }

    async fn set_camera_rotation(&mut self, degrees: u32) -> Result<(), ProblemView> {
        let rotation = Rotation::from_degrees(degrees)
            .ok_or_else(|| problem("internal", "cameras are turned by right angles"))?;
        self.settings.camera_rotation = degrees;
        self.save();
        self.tell_client(Command::SetCameraRotation(rotation)).await
    }

    /// As the settings have it, which a person may have written.
    fn camera_rotation(&self) -> Rotation {
        Rotation::from_degrees(self.settings.camera_rotation).unwrap_or_default()
    }

    async fn set_sound(&mut self, change: SoundChange) -> Result<(), ProblemView> {
        let mut ring = self.choice.ring.clone().unwrap_or(RingChoice {
            device: self.choice.speaker.clone(),
            volume: 1.0,
        });
        let mut replaced = None;
        match change {
            SoundChange::Device(used, spec) => {
                let spec = spec.map(|spec| sound::chosen(used, &spec)).transpose()?;
                let device = spec.clone().unwrap_or(DeviceSpec::Default);
                // What the system uses is what a first start has.
                let stored = Some(&device).filter(|device| **device != DeviceSpec::Default);
                let stored = stored.map(DeviceSpec::to_string);
                match used {
                    SoundUse::Microphone => {
                        self.settings.microphone = stored;
                        self.choice.microphone = device.clone();
                        replaced = Some((DeviceKind::Microphone, device));
                    }
                    SoundUse::Speaker => {
                        self.settings.speaker = stored;
                        self.choice.speaker = device.clone();
                        if self.settings.ring.is_none() {
                            ring.device = device.clone();
                        }
                        replaced = Some((DeviceKind::Speaker, device));
                    }
                    SoundUse::Ring => {
                        self.settings.ring = spec.as_ref().map(DeviceSpec::to_string);
                        ring.device = spec.unwrap_or_else(|| self.choice.speaker.clone());
                    }
                }
            }
            SoundChange::RingVolume(percent) => {
                let percent = percent.min(100);
                self.settings.ring_volume = Some(percent);
                ring.volume = sound::amplitude(percent);
            }
        }
        self.choice.ring = Some(ring.clone());
        self.save();
        if let Some((kind, device)) = replaced {
            self.tell_client(Command::SetDevice(kind, device)).await?;
        }
        self.tell_client(Command::SetRing(ring)).await
    }

    /// Tells a signed-in client of a setting; without one the next sign-in has it.
    async fn tell_client(&self, command: Command) -> Result<(), ProblemView> {
        let State::SignedIn(signed_in) = &self.state else {
            return Ok(());
        };
        let told = signed_in.client.command(command).await;
        told.map_err(|refused| problem(refused.code(), &refused.to_string()))
    }

    async fn host(&mut self) -> Result<(), ProblemView> {
        let name = self.settings.display_name.clone().or_else(sign_in::system_user);
        // Only the second window of a pair sees it.
        let name = name.unwrap_or_else(|| "First window".to_owned());
        let embedded = match Embedded::start(&name, self.arguments.host_pair).await {
            Ok(embedded) => embedded,
            Err(error) => {
                let problem = problem("port_taken", &error.to_string());
                self.state = State::SignedOut {
                    server: String::new(),
                    embedded: true,
                    problem: Some(problem.clone()),
                };
                return Err(problem);
            }
        };
        if self.arguments.host_pair {
            // Without a reader of the line there is no second window to invite.
            let _ = writeln!(std::io::stdout(), "{}", embedded.invitation());
        }
        let by = sign_in::Credentialed {
            server: embedded.url(),
            user: Some(name),
            credentials: Credentials::Token(embedded.my_token()),
        };
        self.enter(by, Some(embedded));
        Ok(())
    }

    fn enter(&mut self, by: sign_in::Credentialed, embedded: Option<Embedded>) {
        let account = Account {
            name: by.user.clone(),
            embedded: embedded.is_some(),
            echo: embedded.as_ref().map(|_| embedded::echo_id()),
            rooms: by.credentials.protocol() == ProtocolKind::Zlm,
        };
        let settings = Settings {
            loopback: sign_in::is_loopback(&by.server),
            server: by.server,
            credentials: by.credentials,
            device_id: self
                .settings
                .device_id
                .clone()
                .unwrap_or_else(crate::random::secret_word),
            insecure_server: false,
            auth: ahoy_signaling::Auth::Auto,
            devices: self.choice.clone(),
            limits: ahoy_client::Limits::default(),
            audio_codecs: SoundCodec::ALL.to_vec(),
            video_codecs: PictureCodec::ALL.to_vec(),
            opus: OpusWish::default(),
            camera_rotation: self.camera_rotation(),
            voice: self.settings.voice.into(),
            ice_servers: Vec::new(),
            relay_only: false,
            auto_answer: false,
            stats_interval: Duration::from_secs(1),
        };
        let (client, mut events) = Client::start(settings, Arc::clone(&self.devices));
        // The window shows snapshots; events are taken so that none is counted as lost.
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        self.slots.send_replace(PictureSlots {
            remote: client.remote_picture(),
            local: client.local_picture(),
        });
        self.client.send_replace(Some(client.clone()));
        let snapshots = client.snapshots();
        self.state = State::SignedIn(Box::new(SignedIn {
            client,
            snapshots,
            account,
            embedded,
        }));
    }

    async fn leave(&mut self) {
        self.client.send_replace(None);
        let server = self.settings.server.clone().unwrap_or_default();
        let left = State::SignedOut {
            server,
            embedded: false,
            problem: None,
        };
        if let State::SignedIn(old) = std::mem::replace(&mut self.state, left) {
            old.client.stop().await;
            if let Some(embedded) = old.embedded {
                embedded.stop().await;
            }
        }
    }

    fn save(&self) {
        if let Err(error) = self.file.save(&self.settings) {
            tracing::warn!(%error, "the settings are not kept");
        }
    }

    fn publish(&self) {
        // The settings are known here alone.
        let view = ViewModel {
            camera_rotation: self.camera_rotation().as_degrees(),
            voice: self.settings.voice,
            sound: self.sound.view(&self.choice, &self.settings),
            invitation: self.asked.as_ref().map(Asked::view),
            ..self.state.view()
        };
        self.views.send_if_modified(|published| {
            let changed = **published != view;
            if changed {
                *published = Arc::new(view);
            }
            changed
        });
    }
}

impl State {
    /// Waits until there is something else to show.
    async fn changed(&mut self) {
        match self {
            // A client that has ended changes no more.
            State::SignedIn(signed_in) => {
                if signed_in.snapshots.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            State::SignedOut { .. } => std::future::pending().await,
        }
    }

    /// A next attempt is counted down to.
    fn is_waiting(&self) -> bool {
        match self {
            State::SignedIn(signed_in) => signed_in.snapshots.borrow().server.retry_at.is_some(),
            State::SignedOut { .. } => false,
        }
    }

    fn has_call(&self) -> bool {
        match self {
            State::SignedIn(signed_in) => signed_in.snapshots.borrow().call.is_some(),
            State::SignedOut { .. } => false,
        }
    }

    fn view(&self) -> ViewModel {
        match self {
            State::SignedIn(signed_in) => {
                view_model::view_model(&signed_in.snapshots.borrow(), &signed_in.account, Instant::now())
            }
            State::SignedOut {
                server,
                embedded,
                problem,
            } => ViewModel {
                server: ServerView {
                    url: server.clone(),
                    embedded: *embedded,
                    state: ServerPhase::SignedOut,
                    problem: problem.clone(),
                    retry_in_s: None,
                    basic_mode: false,
                    rooms: false,
                    invitation: None,
                },
                me: None,
                people: Vec::new(),
                found: None,
                call: None,
                ended: None,
                recent: Vec::new(),
                notices: Vec::new(),
                camera_rotation: 0,
                voice: StoredVoice::default(),
                sound: SoundView::default(),
                invitation: None,
            },
        }
    }
}

/// A code with its small print.
pub fn problem(code: &str, detail: &str) -> ProblemView {
    ProblemView {
        code: code.to_owned(),
        detail: detail.to_owned(),
    }
}

#[cfg(test)]
mod tests;
