//! The window under WebKit's driver, and the unseen display it runs on.

use ahoy_tests::webdriver::{Program, Session};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Stdio};

/// An X server without a screen.
pub struct Display {
    name: String,
    _server: Program,
}

impl Display {
    pub fn start() -> Result<Self> {
        let mut server = Command::new("Xvfb")
            // It writes the number that it chose when it is ready.
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1280x900x24",
                "-nolisten",
                "tcp",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start Xvfb")?;
        let stdout = server.stdout.take().context("stdout of Xvfb is piped")?;
        let server = Program::new(server);
        let mut number = String::new();
        BufReader::new(stdout).read_line(&mut number)?;
        if number.trim().is_empty() {
            bail!("Xvfb ended before it had a display");
        }
        Ok(Self {
            name: format!(":{}", number.trim()),
            _server: server,
        })
    }
}

/// One window under control; closed when dropped.
pub struct Window(Session);

impl Window {
    /// Starts a Tauri program under WebKit's driver.
    pub fn open(display: &Display, program: &Path, arguments: &[&str], settings: &Path) -> Result<Self> {
        let mut driver = Command::new("WebKitWebDriver");
        driver
            .env("DISPLAY", &display.name)
            .env("GDK_BACKEND", "x11")
            .env("XDG_CONFIG_HOME", settings)
            .env("XDG_DATA_HOME", settings)
            // Tauri lets itself be driven only when told.
            .env("TAURI_AUTOMATION", "true")
            .env("TAURI_WEBVIEW_AUTOMATION", "true");
        let options = json!({ "binary": program, "args": arguments });
        let session = Session::open(driver, json!({ "webkitgtk:browserOptions": options }))?;
        Ok(Self(session))
    }
}

impl Deref for Window {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}
