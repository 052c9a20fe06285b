//! The telephone in the page, as the tests use it.

use ahoy_tests::TestServer;
use ahoy_tests::webdriver::Session;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a loaded machine may take for what needs no network.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two measurements.
const POLL: Duration = Duration::from_millis(100);

/// Signed in; each of its words panics with what the page wrote when it fails.
pub struct Telephone<'a> {
    page: &'a Session,
}

impl<'a> Telephone<'a> {
    pub fn sign_in(page: &'a Session, server: &TestServer, user: u64) -> Self {
        let telephone = Self { page };
        telephone.act(&format!(
            "phone.signIn({}, {})",
            json!(server.ws()),
            json!(server.token(user))
        ));
        telephone
    }

    pub fn dial(&self, to: u64, options: &Value) {
        self.act(&format!("phone.dial({to}, {options})"));
    }

    pub fn expect(&self, options: &Value) {
        self.act(&format!("phone.expect({options})"));
    }

    /// Waits for the end of what a method of the page does.
    pub fn act(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
            Promise.resolve().then(() => {expression})
                .then((value) => done({{ value }}), (error) => done({{ error: String(error) }}));"
        );
        let done = self.page.run_async(&script);
        match &done {
            Ok(done) if done["error"].is_null() => done["value"].clone(),
            Ok(_) | Err(_) => panic!("{expression}: {done:?}\n{}", self.story()),
        }
    }

    pub fn wait_for_state(&self, state: &str) {
        let expression = format!("phone.state === {}", json!(state));
        if let Err(error) = self.page.wait_until(&expression, PATIENCE) {
            panic!("{error:#}");
        }
    }

    /// How the call ended.
    pub fn ended(&self) -> Value {
        self.wait_for_state("ended");
        self.act("phone.ended")
    }

    /// What is seen, heard and counted now.
    pub fn measure(&self) -> Value {
        self.act("phone.measure()")
    }

    /// Measures until it fits. Panics with the last measurement when none does in time.
    pub fn wait_for(&self, what: &str, within: Duration, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + within;
        loop {
            let measured = self.measure();
            if fits(&measured) {
                return measured;
            }
            assert!(
                Instant::now() < deadline,
                "page: no {what} within {within:?}\n{measured:#}\n{}",
                self.story()
            );
            std::thread::sleep(POLL);
        }
    }

    /// Everything that the page wrote, for a message.
    pub fn story(&self) -> String {
        let log = self.page.run("return phone.log.join('\\n');");
        let log = log.ok().and_then(|log| log.as_str().map(str::to_owned));
        format!("--- the page said:\n{}", log.unwrap_or_default())
    }
}
