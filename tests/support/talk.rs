//! Two who hear each other's tone, as many tests begin.

use crate::{Event, Party, TestServer, name, serial};
use std::time::Duration;

/// How long a loaded machine may take to end a call.
const END: Duration = Duration::from_secs(30);

/// Lets the two talk until each has heard the other's tone; returns the statistics of caller and callee after that.
pub fn talk(caller: &[&str], callee: &[&str]) -> [Event; 2] {
    const MEDIA: [&str; 4] = ["--mic", "tone:440", "--speaker", "probe"];
    let _turn = serial();
    let server = TestServer::start();
    let mut listener = Party::listen(&server, 2, &[&MEDIA[..], callee].concat());
    let mut dialler = Party::call(&server, 1, 2, &[&MEDIA[..], caller].concat());
    let sides = [&mut dialler, &mut listener];
    let stats = sides.map(|party| {
        party.wait_for("a clear tone", |event| {
            name(event) == "probe"
                && event["kind"] == "audio"
                && event["tone_db"].as_f64().is_some_and(|tone| tone > 25.0)
        });
        party.wait_for("statistics", |event| name(event) == "stats")
    });
    dialler.write_line("hangup");
    dialler.wait_for_end(END);
    listener.wait_for_end(END);
    stats
}
