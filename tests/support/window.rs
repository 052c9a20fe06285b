//! The window under WebKit's driver, on an unseen display and with a session bus of its own.

use crate::TempFolder;
use crate::webdriver::{Program, Session};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A bus that starts nothing by itself, so that no program of the machine takes part.
const BUS: &str = r#"<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>"#;

/// An X server without a screen, the bus by which programs of one session find each other, and one home for settings.
pub struct Display {
    name: String,
    bus: String,
    settings: TempFolder,
    _programs: [Program; 2],
}

impl Display {
    pub fn start() -> Result<Self> {
        let settings = TempFolder::new();
        let mut server = Command::new("Xvfb");
        // It writes the number that it chose when it is ready.
        server.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1280x900x24",
            "-nolisten",
            "tcp",
        ]);
        let (number, server) = started(server)?;
        let config = settings.join("bus.conf");
        std::fs::write(&config, BUS)?;
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--nofork", "--print-address=1", "--config-file", &config]);
        let (address, bus) = started(bus)?;
        Ok(Self {
            name: format!(":{number}"),
            bus: address,
            settings,
            _programs: [server, bus],
        })
    }

    /// The window's settings before its first start, as JSON.
    pub fn set(&self, settings: &serde_json::Value) -> Result<()> {
        let folder = self.settings.path().join("org.ahoy.Ahoy");
        std::fs::create_dir_all(&folder)?;
        Ok(std::fs::write(
            folder.join("settings.json"),
            settings.to_string(),
        )?)
    }

    /// A program that finds display, bus and settings.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.name)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .env("GDK_BACKEND", "x11")
            .env("XDG_CONFIG_HOME", self.settings.path())
            .env("XDG_DATA_HOME", self.settings.path());
        command
    }
}

/// Starts a server and waits for the line that says it is ready.
fn started(mut command: Command) -> Result<(String, Program)> {
    let name = command.get_program().display().to_string();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let stdout = child.stdout.take().context("its stdout is piped")?;
    let program = Program::new(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    match line.trim() {
        "" => bail!("{name} ended before it was ready"),
        ready => Ok((ready.to_owned(), program)),
    }
}

/// The window under test, which `cargo xtask test` names.
pub fn program() -> Result<PathBuf> {
    let program = std::env::var_os("AHOY_WINDOW").context("AHOY_WINDOW names the built window")?;
    Ok(PathBuf::from(program))
}

/// One window under control; closed when dropped.
pub struct Window(Session);

impl Window {
    /// Starts the window under WebKit's driver.
    pub fn open(display: &Display, arguments: &[&str]) -> Result<Self> {
        let mut driver = display.command("WebKitWebDriver");
        driver
            // Tauri lets itself be driven only when told.
            .env("TAURI_AUTOMATION", "true")
            .env("TAURI_WEBVIEW_AUTOMATION", "true");
        let options = json!({ "binary": program()?, "args": arguments });
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
