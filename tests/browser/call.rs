//! One call between `ahoy-cli` and the telephone in the page.

use crate::chromium::Chromium;
use crate::link::Link;
use crate::telephone::Telephone;
use ahoy_tests::{Event, Party, TempFolder, TestServer, name, number};
use serde_json::{Value, json};
use std::time::Duration;

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Ahoy,
    Page,
}

/// Which codecs, and who calls. The caller names them; the other side would take any.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub picture: &'static str,
    pub sound: &'static str,
    pub caller: Side,
}

impl Plan {
    pub fn title(&self) -> String {
        let caller = match self.caller {
            Side::Ahoy => "Ahoy calls",
            Side::Page => "Chromium calls",
        };
        format!("{} and {}, {caller}", self.picture, self.sound)
    }
}

const AHOY: u64 = 1;
const PAGE: u64 = 2;

/// Hz.
pub const AHOYS_TONE: f64 = 440.0;
pub const PAGES_TONE: f64 = 660.0;

/// Pictures per second of either side.
pub const FRAME_RATE: f64 = 15.0;

const MEDIA: [&str; 10] = [
    "--mic",
    "tone:440",
    "--speaker",
    "probe",
    "--camera",
    "pattern:640x360@15",
    "--screen",
    "probe",
    "--stats-interval",
    "0.5",
];

pub struct Call<'a> {
    pub ahoy: Party,
    pub page: Telephone<'a>,
    _server: TestServer,
    _folder: TempFolder,
}

impl<'a> Call<'a> {
    /// Connects the two. Over a link, the page's camera makes as much as the link carries.
    pub fn connect(browser: &'a Chromium, plan: Plan, link: Option<&Link>) -> Self {
        let folder = TempFolder::new();
        // Pages from files have this origin.
        std::fs::write(folder.join("server.toml"), "origins = [\"null\"]\n")
            .expect("a new folder takes files");
        let server = TestServer::start_with(&["--config", &folder.join("server.toml")]);
        let page = Telephone::sign_in(browser.telephone(), &server, PAGE);
        let mut options = json!({
            "video": true, "hz": PAGES_TONE, "width": 640, "height": 360, "frameRate": FRAME_RATE,
        });
        if let Some(link) = link {
            options["noise"] = json!(true);
            options["detour"] = json!({ "ours": link.second(), "theirs": link.first() });
        }
        let mut ahoy = match plan.caller {
            Side::Page => {
                options["codecs"] = json!({ "audio": plan.sound, "video": plan.picture });
                let ahoy = Party::listen(&server, AHOY, &[&["--calls", "1"][..], &MEDIA].concat());
                page.dial(AHOY, &options);
                ahoy
            }
            Side::Ahoy => {
                page.expect(&options);
                let codecs = [plan.picture, plan.sound].map(str::to_lowercase);
                let named = ["--video", "--codec", &codecs[0], "--codec", &codecs[1]];
                Party::call(&server, AHOY, PAGE, &[&named[..], &MEDIA].concat())
            }
        };
        ahoy.wait_for_state("connected");
        page.wait_for_state("connected");
        Self {
            ahoy,
            page,
            _server: server,
            _folder: folder,
        }
    }

    /// Ahoy's probes of a kind until one fits.
    pub fn ahoy_probes(&mut self, what: &str, kind: &str, fits: impl Fn(&Event) -> bool) -> Event {
        self.ahoy.wait_for(what, |event| {
            name(event) == "probe" && event["kind"] == kind && fits(event)
        })
    }

    /// Waits until both have seen `frames` pictures more and hear the tone of the other.
    pub fn see_and_hear(&mut self, frames: f64) {
        let limit = Duration::from_secs_f64(20.0 + 2.0 * frames / FRAME_RATE);
        let shown = |measured: &Value| measured["screen"]["frames"].as_f64().unwrap_or(0.0);
        let least = shown(&self.page.measure()) + frames;
        self.page.wait_for("pictures", limit, |measured| {
            shown(measured) >= least && measured["screen"]["number"].is_number()
        });
        self.page.wait_for("tone of Ahoy", limit, |measured| {
            let hz = measured["ear"]["hz"].as_f64();
            hz.is_some_and(|hz| (hz - AHOYS_TONE).abs() < 3.0) && number(&measured["ear"], "toneDb") > 15.0
        });
        // What Ahoy printed meanwhile is read here, from the first picture on.
        let first = self.ahoy_probes("probe", "video", |_| true);
        self.ahoy_probes("pictures", "video", |event| {
            number(event, "frames") >= number(&first, "frames") + frames
        });
        self.ahoy_probes("tone of the page", "audio", |event| {
            let hz = event["frequency"].as_f64();
            // Found once, perhaps while the jitter buffer stretched it.
            hz.is_some_and(|hz| (hz - PAGES_TONE).abs() < 10.0)
                && event["tone_db"].as_f64().is_some_and(|tone| tone > 20.0)
        });
    }

    /// Ahoy's next statistics.
    pub fn ahoy_stats(&mut self) -> Event {
        self.ahoy.wait_for("statistics", |event| name(event) == "stats")
    }

    /// One side hangs up, and both know why it is over.
    pub fn hang_up(mut self, by: Side) -> Party {
        match by {
            Side::Ahoy => self.ahoy.write_line("hangup"),
            Side::Page => {
                self.page.act("phone.hangUp()");
            }
        }
        let limit = Duration::from_secs(10);
        let ended = self.ahoy.wait_for_end(limit);
        assert_eq!(ended["reason"], "user_hangup", "{ended}");
        assert_eq!(ended["by_us"], by == Side::Ahoy, "{ended}");
        let ended = self.page.ended();
        assert_eq!(ended["reason"], "user_hangup", "{ended}");
        assert_eq!(ended["byUs"], by == Side::Page, "{ended}");
        assert_eq!(self.ahoy.exit_code(limit), Some(0), "{}", self.ahoy.story());
        self.ahoy
    }

    /// Everything that both said, for a message.
    pub fn story(&self) -> String {
        format!("{}\n{}", self.page.story(), self.ahoy.story())
    }
}
