//! Suits the webview to a machine without a graphics card.
//!
//! WebKitGTK composes every page by GL, and without a card that is done in software: measured on two cores, 85 % of a
//! core for one 720p picture at 30 frames/s through WebGL against 15 % for plain pixels without composing. WebKit hides
//! from the page which one it has, so it is decided here; the page draws plain pixels where there is no WebGL.

/// Chooses how the window is drawn.
#[cfg(target_os = "linux")]
pub fn suit_machine(window: &tauri::WebviewWindow) -> tauri::Result<()> {
    use webkit2gtk::{HardwareAccelerationPolicy, SettingsExt, WebViewExt};

    if has_graphics_card(std::path::Path::new("/dev")) {
        return Ok(());
    }
    tracing::info!("no graphics card: the window is drawn in software");
    window.with_webview(|webview| {
        if let Some(settings) = webview.inner().settings() {
            settings.set_enable_webgl(false);
            settings.set_hardware_acceleration_policy(HardwareAccelerationPolicy::Never);
        }
    })
}

/// Chooses how the window is drawn: other systems know by themselves.
#[cfg(not(target_os = "linux"))]
pub fn suit_machine(_window: &tauri::WebviewWindow) -> tauri::Result<()> {
    Ok(())
}

/// A card that renders has a render node; NVIDIA's own driver and WSL have theirs.
#[cfg(target_os = "linux")]
fn has_graphics_card(devices: &std::path::Path) -> bool {
    let render_node = std::fs::read_dir(devices.join("dri")).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("renderD"))
    });
    render_node
        || ["nvidiactl", "dxg"]
            .iter()
            .any(|node| devices.join(node).exists())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_a_card_that_renders_counts() {
        let devices = std::env::temp_dir().join(format!("ahoy-graphics-{}", std::process::id()));
        // Left over from a run with the same process id, or not there.
        let _ = fs::remove_dir_all(&devices);
        fs::create_dir_all(devices.join("dri")).unwrap();
        assert!(!has_graphics_card(&devices));
        fs::write(devices.join("dri/card0"), "").unwrap();
        assert!(
            !has_graphics_card(&devices),
            "a card without a render node shows, but does not render"
        );
        fs::write(devices.join("dri/renderD128"), "").unwrap();
        assert!(has_graphics_card(&devices));
        fs::remove_dir_all(&devices).unwrap();
        assert!(!has_graphics_card(&devices));
    }
}
