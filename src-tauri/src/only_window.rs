//! A second start of the program: it ends at once, and the window that is open comes to the front with its link.
//!
//! Who clicks an invitation starts the program by the scheme `ahoy:`, which the packages register with the system. The
//! plugin finds the window that is open: by the session's D-Bus on Linux, where without one every start is a window of
//! its own.

use crate::app::WINDOW;
use crate::arguments::Arguments;
use crate::session::SessionHandle;
use clap::Parser;
use tauri::{AppHandle, Manager, Wry, plugin::TauriPlugin};

/// Ends this start if a window is open, else lets later ones find this.
pub fn plugin() -> TauriPlugin<Wry> {
    tauri_plugin_single_instance::init(|app, line, _folder| open_link(app, link_of(&line)))
}

/// Shows the window, and in it the question whether to follow the link.
pub fn open_link(app: &AppHandle, link: Option<String>) {
    show(app);
    let Some(link) = link else { return };
    let Some(session) = app.try_state::<SessionHandle>() else {
        return tracing::warn!("a link came before the window was there");
    };
    let session = session.inner().clone();
    tauri::async_runtime::spawn(async move { session.ask_of_system(link).await });
}

/// The link in the command line of another start, which has checked it already.
fn link_of(line: &[String]) -> Option<String> {
    Arguments::try_parse_from(line).ok()?.invitation
}

fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window(WINDOW) else {
        return;
    };
    for (what, done) in [
        ("unminimize", window.unminimize()),
        ("show", window.show()),
        ("focus", window.set_focus()),
    ] {
        if let Err(error) = done {
            tracing::debug!(what, %error, "the window does not come to the front");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_of_another_start_is_found_behind_the_programs_name() {
        let line = |words: &[&str]| link_of(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let link = "ahoy:room?server=wss://h/signaling&room=x";
        assert_eq!(line(&["/usr/bin/ahoy", link]).as_deref(), Some(link));
        assert_eq!(line(&["ahoy"]), None);
        assert_eq!(line(&["ahoy", "--nonsense", link]), None);
    }
}
