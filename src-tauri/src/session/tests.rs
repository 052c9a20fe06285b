use super::*;
use crate::view_model::{CallPhase, PresenceView};
use ahoy_call::Party;
use ahoy_media::synthetic::devices::SyntheticDevices;
use ahoy_server::{Server, ServerConfig};
use clap::Parser;
use std::path::PathBuf;

const LIMIT: Duration = Duration::from_secs(30);

struct Shell {
    session: SessionHandle,
    folder: PathBuf,
    running: tokio::task::JoinHandle<()>,
}

impl Shell {
    fn start(name: &str, line: &[&str], settings: StoredSettings) -> Self {
        let folder = std::env::temp_dir().join(format!("ahoy-session-{}-{name}", std::process::id()));
        let arguments = Arguments::try_parse_from([&["ahoy"], line].concat()).unwrap();
        let file = SettingsFile::in_folder(&folder);
        let (session, running) = Session::prepare(
            arguments,
            settings,
            file,
            Arc::new(SyntheticDevices::new()),
            two_devices,
        );
        Self {
            session,
            folder,
            running: tokio::spawn(running),
        }
    }

    async fn shows(&self, wanted: impl FnMut(&Arc<ViewModel>) -> bool) -> ViewModel {
        let mut views = self.session.views();
        let shown = tokio::time::timeout(LIMIT, views.wait_for(wanted)).await;
        match shown {
            Ok(view) => view.unwrap().as_ref().clone(),
            Err(_) => panic!(
                "the view never came; the last is {:#?}",
                self.session.views().borrow()
            ),
        }
    }

    fn stored_server(&self) -> Option<String> {
        SettingsFile::in_folder(&self.folder).load().unwrap().server
    }

    async fn end(self) {
        tokio::time::timeout(LIMIT, self.session.stop())
            .await
            .expect("everything lets go");
        tokio::time::timeout(LIMIT, self.running)
            .await
            .expect("the session ends")
            .unwrap();
        let refused = self.session.command(Command::HangUp).await.unwrap_err();
        assert_eq!(refused.code, "not_signed_in");
        // There is no folder when nothing was saved.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn two_devices() -> Vec<DeviceDescription> {
    let device = |kind, id: &str, name: &str| DeviceDescription {
        kind,
        id: id.into(),
        name: name.into(),
        is_default: true,
        formats: Vec::new(),
    };
    vec![
        device(DeviceKind::Microphone, "m1", "Desk microphone"),
        device(DeviceKind::Speaker, "s1", "Desk speaker"),
    ]
}

fn on_embedded(view: &ViewModel) -> bool {
    view.server.embedded && view.server.state == ServerPhase::Ready
}

fn echo_is_ready(view: &ViewModel) -> bool {
    view.people
        .iter()
        .any(|person| person.echo && person.presence == PresenceView::Ready)
}

/// An address on which nobody listens.
fn silent_server() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("ws://{}/ws", listener.local_addr().unwrap())
}

fn by_token(server: &str) -> SignIn {
    SignIn {
        server: server.to_owned(),
        token: Some("any".into()),
        user: None,
        password: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_configured_server_the_window_hosts_one_and_echo_is_there() {
    let shell = Shell::start("hosts", &[], StoredSettings::default());
    let view = shell.shows(|view| on_embedded(view) && echo_is_ready(view)).await;
    assert_eq!(view.me.unwrap().id, "1");
    assert_eq!(
        view.people.len(),
        1,
        "a single window lists nobody but Echo: {:?}",
        view.people
    );
    shell.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_that_is_silent_says_so_and_the_way_back_is_open() {
    let shell = Shell::start("back", &[], StoredSettings::default());
    shell.shows(|view| on_embedded(view)).await;
    let mut slots = shell.session.slots();
    slots.mark_unchanged();

    let silent = silent_server();
    shell.session.sign_in(by_token(&silent)).await.unwrap();
    let view = shell.shows(|view| view.server.problem.is_some()).await;
    assert_eq!(
        (view.server.url.as_str(), view.server.embedded),
        (silent.as_str(), false)
    );
    assert_eq!(view.server.problem.unwrap().code, "server_silent");
    assert_eq!(shell.stored_server(), Some(silent));
    assert!(
        slots.has_changed().unwrap(),
        "the new client has slots of its own"
    );

    shell.session.use_embedded().await.unwrap();
    shell.shows(|view| on_embedded(view) && echo_is_ready(view)).await;
    assert_eq!(shell.stored_server(), None);
    shell.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_cannot_be_one_keeps_the_present_one() {
    let shell = Shell::start("keeps", &[], StoredSettings::default());
    shell.shows(|view| on_embedded(view)).await;
    let refused = shell.session.sign_in(by_token("example.com")).await.unwrap_err();
    assert_eq!(refused.code, "not_a_server");
    assert!(on_embedded(&shell.session.views().borrow()));
    shell.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_server_waits_for_its_sign_in() {
    let server = Some("wss://calls.example/ws".to_owned());
    let settings = StoredSettings {
        server: server.clone(),
        ..StoredSettings::default()
    };
    let shell = Shell::start("waits", &[], settings);
    let refused = shell.session.command(Command::RetryNow).await.unwrap_err();
    assert_eq!(refused.code, "not_signed_in");
    let view = shell
        .shows(|view| view.server.state == ServerPhase::SignedOut)
        .await;
    assert_eq!((Some(view.server.url), view.server.problem), (server, None));
    shell.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_window_of_a_pair_joins_the_first() {
    let host = Embedded::start("First window", true).await.unwrap();
    let invitation = host.invitation();
    let words: Vec<&str> = invitation.split(' ').collect();
    let ["pair", url, token] = words[..] else {
        panic!("not an invitation: {invitation}")
    };
    let settings = StoredSettings {
        server: Some(url.to_owned()),
        ..StoredSettings::default()
    };
    let shell = Shell::start("joins", &[], settings);
    let sign_in = SignIn {
        server: url.to_owned(),
        token: Some(token.to_owned()),
        user: None,
        password: None,
    };
    shell.session.sign_in(sign_in).await.unwrap();
    let view = shell
        .shows(|view| view.server.state == ServerPhase::Ready && !view.people.is_empty())
        .await;
    assert_eq!(view.me.unwrap().id, "2");
    assert!(
        view.people.iter().all(|person| !person.echo),
        "Echo belongs to the window that hosts it"
    );
    shell.end().await;
    host.stop().await;
}

/// How loud the microphone is, while it is open.
fn db(view: &ViewModel) -> Option<f32> {
    view.sound.meter.as_ref().and_then(|meter| meter.db)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_microphone_is_heard_while_the_settings_are_shown_and_never_beside_a_call() {
    let devices = [
        "--microphone",
        "tone:440",
        "--speaker",
        "null",
        "--camera",
        "null",
    ];
    let shell = Shell::start("meter", &devices, StoredSettings::default());
    let view = shell.shows(|view| on_embedded(view) && echo_is_ready(view)).await;
    assert_eq!(view.sound.meter, None);

    shell.session.show_sound(true).await.unwrap();
    let view = shell
        .shows(|view| db(view).is_some_and(|db| db > -30.0) && !view.sound.speakers.is_empty())
        .await;
    assert_eq!(view.sound.microphones[0].spec, "mic:m1");
    assert_eq!(view.sound.speakers[0].spec, "speaker:s1");
    assert_eq!(view.sound.microphone, "tone:440");

    let call = Command::PlaceCall {
        to: Party::User(embedded::echo_id()),
        video: false,
        stream: None,
    };
    shell.session.command(call).await.unwrap();
    let view = shell.shows(|view| view.call.is_some()).await;
    assert_eq!(view.sound.meter, None, "the call has the microphone");
    shell.session.command(Command::HangUp).await.unwrap();
    shell
        .shows(|view| view.call.is_none() && db(view).is_some())
        .await;

    shell.session.show_sound(false).await.unwrap();
    shell.shows(|view| view.sound.meter.is_none()).await;
    shell.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_microphone_that_cannot_be_opened_is_said_where_its_level_would_be() {
    let shell = Shell::start("no-meter", &[], StoredSettings::default());
    shell.session.show_sound(true).await.unwrap();
    let problem = |view: &ViewModel| view.sound.meter.as_ref().and_then(|meter| meter.problem.clone());
    let view = shell.shows(|view| problem(view).is_some()).await;
    assert_eq!(problem(&view).as_deref(), Some("no_microphone"));
    shell.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_camera_is_turned_by_right_angles_alone_and_stays_so() {
    let shell = Shell::start("turned", &[], StoredSettings::default());
    shell.shows(|view| on_embedded(view)).await;
    shell.session.set_camera_rotation(270).await.unwrap();
    shell.shows(|view| view.camera_rotation == 270).await;
    let refused = shell.session.set_camera_rotation(45).await;
    assert_eq!(refused.unwrap_err().code, "internal");
    let stored = SettingsFile::in_folder(&shell.folder).load().unwrap();
    assert_eq!(stored.camera_rotation, 270);
    shell.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_and_the_ring_are_chosen_each_for_itself_and_kept() {
    let shell = Shell::start("devices", &[], StoredSettings::default());
    shell.shows(|view| on_embedded(view)).await;
    let session = &shell.session;
    let some = |spec: &str| Some(spec.to_owned());
    session
        .set_sound_device(SoundUse::Ring, some("speaker:desk"))
        .await
        .unwrap();
    session.set_ring_volume(70).await.unwrap();
    session
        .set_sound_device(SoundUse::Microphone, some("mic:m1"))
        .await
        .unwrap();
    session
        .set_sound_device(SoundUse::Speaker, some("speaker:s1"))
        .await
        .unwrap();
    let refused = session
        .set_sound_device(SoundUse::Speaker, some("file:/tmp/x.wav"))
        .await;
    assert_eq!(refused.unwrap_err().code, "device_unknown");

    let view = shell.shows(|view| view.sound.speaker == "speaker:s1").await;
    assert_eq!(view.sound.microphone, "mic:m1");
    assert_eq!(
        (view.sound.ring.as_deref(), view.sound.ring_volume),
        (Some("speaker:desk"), 70)
    );
    let stored = SettingsFile::in_folder(&shell.folder).load().unwrap();
    assert_eq!(stored.ring.as_deref(), Some("speaker:desk"));
    assert_eq!(
        (stored.ring_volume, stored.microphone.as_deref()),
        (Some(70), Some("mic:m1"))
    );

    session.set_sound_device(SoundUse::Ring, None).await.unwrap();
    session
        .set_sound_device(SoundUse::Microphone, some("default"))
        .await
        .unwrap();
    let stored = SettingsFile::in_folder(&shell.folder).load().unwrap();
    assert_eq!((stored.ring, stored.microphone), (None, None));
    shell.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speaker_is_tried_and_one_that_is_not_there_is_said() {
    let shell = Shell::start("test-sound", &["--speaker", "null"], StoredSettings::default());
    shell.session.test_sound(SoundUse::Speaker).await.unwrap();
    shell.session.test_sound(SoundUse::Ring).await.unwrap();
    let away = Some("speaker:away".to_owned());
    shell
        .session
        .set_sound_device(SoundUse::Ring, away)
        .await
        .unwrap();
    let refused = shell.session.test_sound(SoundUse::Ring).await.unwrap_err();
    assert_eq!(refused.code, "no_speaker");
    shell.end().await;
}

const NO_HARDWARE: [&str; 6] = [
    "--microphone",
    "tone:440",
    "--speaker",
    "null",
    "--camera",
    "null",
];

async fn server_of_rooms() -> Server {
    let config = ServerConfig {
        listen: std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0)),
        ..ServerConfig::default()
    };
    Server::bind(config).await.unwrap()
}

fn in_room(server: &Server, room: &str) -> SignIn {
    SignIn {
        server: server.rooms_url(),
        token: None,
        user: Some(room.to_owned()),
        password: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_asked_about_before_anything_connects_and_then_called() {
    let server = server_of_rooms().await;
    let host = Shell::start("host", &NO_HARDWARE, StoredSettings::default());
    host.session.sign_in(in_room(&server, "harbor")).await.unwrap();
    let view = host.shows(|view| view.server.invitation.is_some()).await;
    let link = view.server.invitation.unwrap();

    let line = [&NO_HARDWARE[..], &[link.as_str()]].concat();
    let guest = Shell::start("guest", &line, StoredSettings::default());
    let view = guest.shows(|view| on_embedded(view) && echo_is_ready(view)).await;
    let asked = view.invitation.unwrap();
    assert_eq!(
        (asked.server, asked.room),
        (server.rooms_url(), "harbor".to_owned())
    );
    let rooms = host.session.views().borrow().people.len();
    assert_eq!(rooms, 0, "the guest was there before an answer");

    guest.session.accept_invitation(false).await.unwrap();
    host.shows(|view| {
        view.call
            .as_ref()
            .is_some_and(|call| call.state == CallPhase::RingingIn)
    })
    .await;
    let view = guest.shows(|view| view.call.is_some()).await;
    assert_eq!(view.invitation, None);
    let call = view.call.unwrap();
    assert_eq!((call.peer.id.as_str(), call.video), ("harbor", false));
    assert_eq!(
        guest.stored_server(),
        None,
        "a link is no server for the next start"
    );

    host.session.command(Command::Decline).await.unwrap();
    guest.shows(|view| view.ended.is_some()).await;
    guest.end().await;
    host.end().await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_to_the_server_in_use_leaves_the_sign_in_as_it_is() {
    let server = server_of_rooms().await;
    let host = Shell::start("host-here", &NO_HARDWARE, StoredSettings::default());
    host.session.sign_in(in_room(&server, "harbor")).await.unwrap();
    let view = host.shows(|view| view.server.invitation.is_some()).await;
    let link = view.server.invitation.unwrap();

    let guest = Shell::start("guest-here", &NO_HARDWARE, StoredSettings::default());
    guest.session.sign_in(in_room(&server, "bridge")).await.unwrap();
    guest
        .shows(|view| view.server.state == ServerPhase::Ready && view.server.rooms)
        .await;
    guest.session.ask(link.clone()).await.unwrap();
    guest.session.dismiss_invitation().await.unwrap();
    let refused = guest.session.accept_invitation(false).await.unwrap_err();
    assert_eq!(refused.code, "invitation_gone");

    guest.session.ask(link).await.unwrap();
    guest.session.accept_invitation(false).await.unwrap();
    let caller = |view: &Arc<ViewModel>| view.call.as_ref().map(|call| call.peer.id.clone());
    let view = host.shows(|view| view.call.is_some()).await;
    assert_eq!(caller(&Arc::new(view)).as_deref(), Some("bridge"));
    guest.end().await;
    host.end().await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_none_is_said_and_leads_nowhere() {
    let link = "ahoy:room?server=https://evil.example/signaling&room=a";
    let shell = Shell::start("no-link", &[link], StoredSettings::default());
    let view = shell.shows(|view| on_embedded(view)).await;
    assert_eq!(
        view.invitation.unwrap().problem.unwrap().code,
        "invitation_server"
    );
    assert_eq!(
        shell.session.accept_invitation(true).await.unwrap_err().code,
        "invitation_gone"
    );
    assert_eq!(
        shell.session.ask("hello".into()).await.unwrap_err().code,
        "invitation_unreadable"
    );
    shell.end().await;
}
