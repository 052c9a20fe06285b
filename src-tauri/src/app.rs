//! Start and end of the window: settings, session, picture feed, page.

use crate::arguments::Arguments;
use crate::random::secret_word;
use crate::session::{Session, SessionHandle};
use crate::settings_file::{SettingsFile, StoredSettings};
use crate::video_feed::VideoFeed;
use crate::{bridge, commands, graphics, only_window};
use ahoy_devices::SystemDevices;
use anyhow::{Context, Result};
use std::sync::Arc;
use std::time::Duration;
use tauri::{AppHandle, Manager, RunEvent, WebviewUrl, WebviewWindowBuilder};

/// The one window.
pub(crate) const WINDOW: &str = "main";

/// Longest time that hanging up and signing out may hold up the end of the program (chosen).
const GOODBYE: Duration = Duration::from_secs(3);

/// Runs until the window is closed.
pub fn run(arguments: Arguments) -> Result<()> {
    let mut builder = tauri::Builder::default();
    if !arguments.is_apart() {
        builder = builder.plugin(only_window::plugin());
    }
    builder
        .invoke_handler(tauri::generate_handler![
            commands::current,
            commands::place_call,
            commands::place_stream_call,
            commands::place_two_way_call,
            commands::accept,
            commands::decline,
            commands::hang_up,
            commands::set_muted,
            commands::set_camera,
            commands::set_voice_loss,
            commands::set_voice,
            commands::set_camera_rotation,
            commands::send_digits,
            commands::show_sound,
            commands::set_sound_device,
            commands::set_ring_volume,
            commands::test_sound,
            commands::silence,
            commands::dismiss_ended,
            commands::dismiss_notice,
            commands::search,
            commands::set_contact,
            commands::retry_now,
            commands::sign_in,
            commands::open_invitation,
            commands::accept_invitation,
            commands::dismiss_invitation,
            commands::use_embedded,
            commands::video_feed,
        ])
        .setup(|app| Ok(set_up(app.handle(), arguments)?))
        .build(tauri::generate_context!())
        .context("cannot start the window")?
        .run(|app, event| {
            // macOS alone hands links over this way, also the one that the program was started for.
            #[cfg(target_os = "macos")]
            if let RunEvent::Opened { urls } = &event {
                for url in urls {
                    only_window::open_link(app, Some(url.as_str().to_owned()));
                }
            }
            // `code` is set when `say_goodbye` ends the program.
            if let RunEvent::ExitRequested { code: None, api, .. } = event {
                api.prevent_exit();
                say_goodbye(app.clone());
            }
        });
    Ok(())
}

fn set_up(app: &AppHandle, arguments: Arguments) -> Result<()> {
    let folder = app
        .path()
        .app_config_dir()
        .context("the system names no folder for settings")?;
    let file = SettingsFile::in_folder(&folder);
    let settings = load(&file);
    let devices = Arc::new(SystemDevices::default());
    let (session, running) = Session::prepare(arguments, settings, file, devices, ahoy_devices::list_sound);
    let feed = VideoFeed::start(session.slots(), origins(), secret_word())
        .context("cannot listen on 127.0.0.1 for the pictures of the page")?;
    tauri::async_runtime::spawn(bridge::forward(app.clone(), WINDOW, session.views()));
    tauri::async_runtime::spawn(running);
    app.manage(session);
    app.manage(feed);
    let window = WebviewWindowBuilder::new(app, WINDOW, WebviewUrl::default())
        .title("Ahoy")
        .inner_size(1200.0, 800.0)
        .min_inner_size(360.0, 480.0)
        .build()
        .context("cannot open the window")?;
    graphics::suit_machine(&window).context("cannot set up the window")?;
    Ok(())
}

/// The stored settings, with an id for this installation. A file that cannot be used never keeps the window from opening.
fn load(file: &SettingsFile) -> StoredSettings {
    let mut settings = file.load().unwrap_or_else(|error| {
        tracing::warn!(%error, "starting with the default settings");
        if let Err(error) = file.set_aside() {
            tracing::warn!(%error, "the old settings will be overwritten");
        }
        StoredSettings::default()
    });
    if settings.device_id.is_none() {
        settings.device_id = Some(secret_word());
        if let Err(error) = file.save(&settings) {
            tracing::warn!(%error, "the settings are not kept");
        }
    }
    settings
}

/// Where the window's page comes from: its own scheme, which Windows shows as a host, or the development server.
fn origins() -> Vec<String> {
    let own: &[&str] = if tauri::is_dev() {
        &["http://localhost:1420"]
    } else {
        &[
            "tauri://localhost",
            "http://tauri.localhost",
            "https://tauri.localhost",
        ]
    };
    own.iter().map(|origin| (*origin).to_owned()).collect()
}

/// Hangs up and signs out, then ends the program.
fn say_goodbye(app: AppHandle) {
    tauri::async_runtime::spawn(async move {
        let session = app.state::<SessionHandle>().inner().clone();
        if tokio::time::timeout(GOODBYE, session.stop()).await.is_err() {
            tracing::warn!(seconds = GOODBYE.as_secs(), "something did not let go in time");
        }
        app.exit(0);
    });
}
