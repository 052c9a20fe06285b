//! View models on their way into the page. One task; the newest wins, and the page is told at most [`RATE`] times a
//! second, so a page that draws slowly is never behind by more than one.

use crate::view_model::{CallPhase, ViewModel};
use std::sync::Arc;
use std::time::Duration;
use tauri::{AppHandle, Emitter, Manager, UserAttentionType};
use tokio::sync::watch;

/// Level meters are smooth at this many view models a second (chosen).
const RATE: u32 = 20;

/// Tells the page of every change until the session ends.
pub async fn forward(app: AppHandle, window: &'static str, mut views: watch::Receiver<Arc<ViewModel>>) {
    let mut ringing = false;
    while views.changed().await.is_ok() {
        let view = Arc::clone(&views.borrow_and_update());
        if let Err(error) = app.emit_to(window, "view", view.as_ref()) {
            tracing::warn!(%error, "the page was not told of a change");
        }
        let rings = view
            .call
            .as_ref()
            .is_some_and(|call| call.state == CallPhase::RingingIn);
        if rings && !ringing {
            ask_for_attention(&app, window);
        }
        ringing = rings;
        tokio::time::sleep(Duration::from_secs(1) / RATE).await;
    }
}

fn ask_for_attention(app: &AppHandle, window: &str) {
    let Some(window) = app.get_webview_window(window) else {
        return;
    };
    if let Err(error) = window.request_user_attention(Some(UserAttentionType::Critical)) {
        tracing::debug!(%error, "the system shows no sign of the incoming call");
    }
}
