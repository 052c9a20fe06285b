//! Who is signed in where. One task owns the client and, without a configured server, the embedded one; a sign-in
//! replaces both. It knows neither windows nor the page: it publishes view models, picture slots, and the client to
//! give commands to.

mod sign_in;

pub use sign_in::SignIn;

use crate::arguments::Arguments;
use crate::embedded::{self, Embedded};
use crate::settings_file::{SettingsFile, StoredSettings, StoredVoice};
use crate::video_feed::PictureSlots;
use crate::view_model::{self, Account, ProblemView, ServerPhase, ServerView, ViewModel};
use ahoy_client::{Client, ClientHandle, Command, Credentials, Settings, Snapshot};
use ahoy_media::codec::opus::OpusWish;
use ahoy_media::codec::{PictureCodec, SoundCodec};
use ahoy_media::device::Devices;
use ahoy_signaling::ProtocolKind;
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
    /// Hang up, sign out, let go of everything, end.
    Stop,
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
    /// Makes a session that signs in as the command line or the settings say, once it runs.
    pub fn prepare(
        arguments: Arguments,
        settings: StoredSettings,
        file: SettingsFile,
        devices: Arc<dyn Devices>,
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
            self.publish();
            tokio::select! {
                wish = wishes.recv() => match wish {
                    // Answered also when the asker has gone: then there is nobody to tell.
                    Some(Wish::SignIn(sign_in, reply)) => { let _ = reply.send(self.sign_in(sign_in).await); }
                    Some(Wish::UseEmbedded(reply)) => { let _ = reply.send(self.use_embedded().await); }
                    Some(Wish::SetVoice(voice, reply)) => { let _ = reply.send(self.set_voice(voice).await); }
                    Some(Wish::Stop) | None => break,
                },
                () = self.state.changed() => {}
                _ = countdown.tick(), if self.state.is_waiting() => {}
            }
        }
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
        self.settings.server = Some(credentials.server.clone());
        self.settings.user = credentials.user.clone();
        self.save();
        self.enter(credentials, None);
        Ok(())
    }

    async fn use_embedded(&mut self) -> Result<(), ProblemView> {
        self.leave().await;
        self.settings.server = None;
        self.save();
        self.host().await
    }

    async fn set_voice(&mut self, voice: StoredVoice) -> Result<(), ProblemView> {
        self.settings.voice = voice;
        self.save();
        if let State::SignedIn(signed_in) = &self.state {
            let command = Command::SetVoice(voice.into());
            let set = signed_in.client.command(command).await;
            set.map_err(|refused| problem(refused.code(), &refused.to_string()))?;
        }
        Ok(())
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
            devices: sign_in::device_choice(&self.arguments, &self.settings),
            limits: ahoy_client::Limits::default(),
            audio_codecs: SoundCodec::ALL.to_vec(),
            video_codecs: PictureCodec::ALL.to_vec(),
            opus: OpusWish::default(),
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
            voice: self.settings.voice,
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
                },
                me: None,
                people: Vec::new(),
                found: None,
                call: None,
                ended: None,
                recent: Vec::new(),
                notices: Vec::new(),
                voice: StoredVoice::default(),
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
