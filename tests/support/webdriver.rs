//! A small W3C WebDriver client: one session of a driver that stands by for it.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Between two looks at something outside of this process.
const POLL: Duration = Duration::from_millis(50);

/// Longest time that the driver may take to start, or the window to open.
const START: Duration = Duration::from_secs(60);

/// The key of an element reference (WebDriver §11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A program that ends with its owner.
pub struct Program(Child);

impl Program {
    pub fn new(child: Child) -> Self {
        Self(child)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One window under control; closed when dropped.
pub struct Session {
    address: String,
    http: ureq::Agent,
    _driver: Program,
}

impl Session {
    /// Starts `driver`, which takes `--port=N`, and opens a window that has these capabilities.
    pub fn open(mut driver: Command, capabilities: Value) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let name = driver.get_program().display().to_string();
        let child = driver
            .arg(format!("--port={port}"))
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let driver = Program::new(child);
        let http: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(START))
            // The driver's own error texts say what is wrong.
            .http_status_as_error(false)
            .build()
            .into();
        let base = format!("http://127.0.0.1:{port}");
        let deadline = Instant::now() + START;
        while http.get(&format!("{base}/status")).call().is_err() {
            if Instant::now() > deadline {
                bail!("{name} does not answer");
            }
            std::thread::sleep(POLL);
        }
        let wish = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let opened = value(http.post(&format!("{base}/session")).send_json(wish)?)?;
        let id = opened["sessionId"].as_str().context("a session has an id")?;
        Ok(Self {
            address: format!("{base}/session/{id}"),
            http,
            _driver: driver,
        })
    }

    /// Shows another page in the window and waits until it is loaded.
    pub fn go_to(&self, url: &str) -> Result<()> {
        self.post("url", json!({ "url": url })).map(drop)
    }

    /// Runs a function body in the page; what it returns comes back.
    pub fn run(&self, script: &str) -> Result<Value> {
        self.post("execute/sync", json!({ "script": script, "args": [] }))
    }

    /// Runs a function body whose last argument is to be called with the result.
    pub fn run_async(&self, script: &str) -> Result<Value> {
        self.post("execute/async", json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true in the page.
    pub fn wait_until(&self, expression: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while self.run(&format!("return Boolean({expression});"))? != Value::Bool(true) {
            if Instant::now() > deadline {
                let page = self.run("return document.body.innerText;")?;
                bail!(
                    "not true within {limit:?}: {expression}\nthe page says:\n{}",
                    page.as_str().unwrap_or("")
                );
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Clicks as a person would: the element must be there, visible, and not covered.
    pub fn click(&self, selector: &str) -> Result<()> {
        let id = self.element(selector)?;
        self.post(&format!("element/{id}/click"), json!({}))
            .with_context(|| format!("click on {selector}"))?;
        Ok(())
    }

    /// Types into a field as a person would, after what is in it.
    pub fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        let id = self.element(selector)?;
        self.post(&format!("element/{id}/value"), json!({ "text": text }))
            .with_context(|| format!("typing into {selector}"))?;
        Ok(())
    }

    /// The window's content as a PNG.
    pub fn picture(&self) -> Result<Vec<u8>> {
        let shown = value(self.http.get(&format!("{}/screenshot", self.address)).call()?)?;
        from_base64(shown.as_str().context("a screenshot is text")?)
    }

    fn element(&self, selector: &str) -> Result<String> {
        let found = self.post("element", json!({ "using": "css selector", "value": selector }))?;
        let id = found[ELEMENT].as_str();
        id.map(str::to_owned)
            .with_context(|| format!("no element {selector}"))
    }

    pub fn post(&self, command: &str, body: Value) -> Result<Value> {
        value(
            self.http
                .post(&format!("{}/{command}", self.address))
                .send_json(body)?,
        )
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Closes the window; a driver that is gone has closed it already.
        let _ = self.http.delete(&self.address).call();
    }
}

/// The `value` of an answer; the driver's text when it is an error.
fn value(answer: ureq::http::Response<ureq::Body>) -> Result<Value> {
    let status = answer.status();
    let mut body: Value = answer.into_body().with_config().limit(1 << 26).read_json()?;
    if !status.is_success() {
        bail!(
            "WebDriver: {} ({})",
            body["value"]["message"],
            body["value"]["error"]
        );
    }
    Ok(body["value"].take())
}

fn from_base64(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text
        .bytes()
        .filter(|letter| !matches!(letter, b'=' | b'\n' | b'\r'))
    {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => bail!("not base64: {letter:#x}"),
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Ok(bytes)
}
