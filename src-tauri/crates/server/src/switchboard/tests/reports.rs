//! `call.status` in a call: at most one a second, the newest counts, a mute is never lost (IM-Suite §4.5, §16.13).

use super::bench::*;
use serde_json::{Value, json};
use std::time::Duration;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn report(number: u64) -> Value {
    message("call.status", json!({ "status": "connected", "n": number }))
}

fn muted(number: u64) -> Value {
    let mut report = report(number);
    report["payload"]["media"] = json!({ "audio": "muted", "video": "on", "screen": "off" });
    report
}

fn numbers(messages: &[Value]) -> Vec<u64> {
    let numbers = messages
        .iter()
        .map(|message| message["payload"]["n"].as_u64().unwrap());
    numbers.collect()
}

#[test]
fn at_most_one_report_a_second_is_relayed_and_the_newest_waits() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    for number in 0..50 {
        bench.send(ada, report(number));
        bench.pass(ms(100));
    }
    bench.pass(ms(1000));
    assert_eq!(numbers(&bench.received(ben)), [0, 9, 19, 29, 39, 49]);
    assert_eq!(bench.board.poll_timeout(), None, "nothing waits any more");
}

#[test]
fn each_side_has_a_second_of_its_own() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.send(ada, report(1));
    bench.send(ben, report(2));
    assert_eq!(numbers(&bench.received(ben)), [1]);
    assert_eq!(numbers(&bench.received(ada)), [2]);
}

#[test]
fn a_mute_is_carried_over_to_the_report_that_replaces_it() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.send(ada, report(0));
    bench.send(ada, muted(1));
    bench.send(ada, report(2));
    bench.send(ada, report(3));
    bench.pass(ms(999));
    assert_eq!(numbers(&bench.received(ben)), [0]);
    bench.pass(ms(1));
    let got = bench.only(ben);
    assert_eq!(got["payload"]["n"], 3);
    assert_eq!(got["payload"]["media"]["audio"], "muted");
    assert_eq!(got["payload"]["from_user"], 1);
    bench.send(ada, report(4));
    bench.pass(ms(1000));
    assert!(bench.only(ben)["payload"].get("media").is_none(), "told once");
}

#[test]
fn a_newer_mute_counts() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.send(ada, report(0));
    bench.send(ada, muted(1));
    let mut unmuted = muted(2);
    unmuted["payload"]["media"]["audio"] = "on".into();
    bench.send(ada, unmuted);
    bench.drop_all();
    bench.pass(ms(1000));
    assert_eq!(bench.only(ben)["payload"]["media"]["audio"], "on");
}

#[test]
fn a_mute_survives_the_absence_of_its_reader() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.disconnect(ben);
    bench.send(ada, muted(1));
    for number in 2..5 {
        bench.pass(ms(1000));
        bench.send(ada, report(number));
    }
    let ben = bench.connect(2, "d1");
    let got = bench.only(ben);
    assert_eq!(got["payload"]["n"], 4, "only the newest is kept");
    assert_eq!(got["payload"]["media"]["audio"], "muted");
}

#[test]
fn a_waiting_report_ends_with_its_call() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.send(ada, report(0));
    bench.send(ada, report(1));
    bench.send(ada, end("user_hangup"));
    bench.pass(ms(5000));
    let types: Vec<_> = bench
        .received(ben)
        .iter()
        .map(|m| type_of(m).to_owned())
        .collect();
    assert_eq!(types, ["call.status", "call.end"]);
}

#[test]
fn a_report_that_waits_counts_for_the_grace_at_once() {
    let (mut bench, [ada, ben, _]) = Bench::active();
    bench.disconnect(ben);
    bench.pass(Duration::from_secs(29));
    bench.send(ada, report(0));
    bench.send(ada, report(1));
    bench.pass(Duration::from_secs(14));
    bench.assert_silent(&[ada]);
}
