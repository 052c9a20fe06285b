//! A browser without a screen, under its driver.

use ahoy_tests::TempFolder;
use ahoy_tests::webdriver::Session;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

/// What makes a browser that calls and does nothing else: no sandbox, which root cannot have; nothing fetched; sound
/// without a click; plain addresses in its candidates, as nothing here answers multicast names; and a page that nobody looks
/// at is as quick as any.
const OPTIONS: [&str; 14] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--allow-loopback-in-peer-connection",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
];

pub struct Chromium {
    session: Session,
    // After the browser that writes to it.
    _profile: TempFolder,
}

impl Chromium {
    /// The browser of `CHROMIUM`, else the one in `PATH`, with a profile of its own.
    pub fn start() -> Result<Self> {
        let profile = TempFolder::new();
        let browser = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let folder = format!("--user-data-dir={}", profile.path().display());
        let arguments: Vec<&str> = OPTIONS.into_iter().chain([folder.as_str()]).collect();
        let mut options = json!({ "args": arguments });
        // The driver looks in the usual places by itself, but not in PATH.
        if let Some(path) = on_path(&browser) {
            options["binary"] = json!(path);
        }
        let mut driver = Command::new("chromedriver");
        // It tells what it misses of the desktop.
        driver.stdout(Stdio::null()).stderr(Stdio::null());
        let session = Session::open(driver, json!({ "goog:chromeOptions": options }))?;
        Ok(Self {
            session,
            _profile: profile,
        })
    }

    /// Opens the telephone afresh.
    pub fn telephone(&self) -> &Session {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/page/index.html");
        self.session
            .go_to(&format!("file://{}", page.display()))
            .expect("the page of the checkout loads");
        &self.session
    }

    /// Whether it can encode and decode pictures in this codec.
    pub fn has_picture_codec(&self, name: &str) -> bool {
        let codecs = self
            .telephone()
            .run("return Phone.codecs('video');")
            .expect("the browser tells its codecs");
        ["send", "receive"].iter().all(|way| {
            codecs[way]
                .as_array()
                .is_some_and(|names| names.contains(&Value::from(name)))
        })
    }
}

fn on_path(program: &str) -> Option<String> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .map(|file| file.display().to_string())
}
