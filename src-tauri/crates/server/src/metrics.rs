//! What the server counts, and the listener that tells it (Prometheus text format).
//!
//! One registry per server, passed to whoever counts.

use crate::relay::Relay;
use crate::traffic::{self, OpenCalls, Refusal};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, http::StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// Seconds; a commit takes about 0.1 ms, and beyond half a second calls are felt to hang.
const STORE_BUCKETS: [f64; 9] = [0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.5, 2.0];

/// One answered HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct HttpLabels {
    /// The pattern of the route, never the path that was asked for.
    pub(crate) route: String,
    pub(crate) status: u16,
}

/// One signaling message from a client.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MessageLabels {
    kind: &'static str,
    /// `received` counts all, `refused` those answered with an error.
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

/// The counters of one server; clones are the same counters.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Mutex<Registry>>,
    pub(crate) connections: Gauge,
    /// Somebody is told. What takes time to count is not counted for nobody.
    is_told: bool,
    calls: Family<StateLabel, Gauge>,
    messages: Family<MessageLabels, Counter>,
    refused: Family<CodeLabel, Counter>,
    pub(crate) http: Family<HttpLabels, Counter>,
    pub(crate) turned_away: Counter,
    pub(crate) room_messages: Counter,
    rooms: Gauge,
    room_calls: Gauge,
    store: Histogram,
}

impl Metrics {
    pub(crate) fn new(is_told: bool) -> Self {
        let metrics = Self {
            registry: Arc::new(Mutex::new(Registry::with_prefix("ahoy"))),
            connections: Gauge::default(),
            is_told,
            calls: Family::default(),
            messages: Family::default(),
            refused: Family::default(),
            http: Family::default(),
            turned_away: Counter::default(),
            room_messages: Counter::default(),
            rooms: Gauge::default(),
            room_calls: Gauge::default(),
            store: Histogram::new(STORE_BUCKETS),
        };
        metrics.with_registry(|registry| {
            registry.register("connections", "Open WebSockets", metrics.connections.clone());
            registry.register("calls", "Calls that go on, by state", metrics.calls.clone());
            registry.register(
                "messages",
                "Signaling messages from clients, by type and result",
                metrics.messages.clone(),
            );
            registry.register(
                "refused",
                "Signaling messages refused, by error code",
                metrics.refused.clone(),
            );
            registry.register(
                "http_requests",
                "HTTP requests answered, by route and status",
                metrics.http.clone(),
            );
            registry.register(
                "connections_turned_away",
                "TCP connections closed at once because there were too many",
                metrics.turned_away.clone(),
            );
            registry.register("rooms", "Rooms that somebody has", metrics.rooms.clone());
            registry.register("room_calls", "Calls between rooms", metrics.room_calls.clone());
            registry.register(
                "room_messages",
                "Messages from clients of rooms",
                metrics.room_messages.clone(),
            );
            registry.register_with_unit(
                "store_latency",
                "Time from asking the store to its answer",
                Unit::Seconds,
                metrics.store.clone(),
            );
        });
        metrics
    }

    fn with_registry(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().expect("no holder of this lock panics"));
    }

    pub(crate) fn count_http(&self, route: &str, status: StatusCode) {
        let labels = HttpLabels {
            route: route.to_owned(),
            status: status.as_u16(),
        };
        self.http.get_or_create(&labels).inc();
    }

    pub(crate) fn count_received(&self, text: &str) {
        if self.is_told {
            self.count_message(traffic::kind(text), "received");
        }
    }

    pub(crate) fn count_sent(&self, text: &str) {
        if self.is_told
            && let Some(Refusal { kind, code }) = traffic::refusal(text)
        {
            self.count_message(kind, "refused");
            self.refused.get_or_create(&CodeLabel { code }).inc();
        }
    }

    fn count_message(&self, kind: &'static str, result: &'static str) {
        self.messages.get_or_create(&MessageLabels { kind, result }).inc();
    }

    pub(crate) fn show_calls(&self, open: &OpenCalls) {
        for (state, count) in [("ringing", open.ringing()), ("active", open.active())] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.calls.get_or_create(&StateLabel { state }).set(count);
        }
    }

    pub(crate) fn show_rooms(&self, rooms: usize, calls: usize) {
        self.rooms.set(i64::try_from(rooms).unwrap_or(i64::MAX));
        self.room_calls.set(i64::try_from(calls).unwrap_or(i64::MAX));
    }

    /// Tells what the relay has done, for as long as there is one.
    pub(crate) fn add_relay(&self, relay: &Arc<Relay>) {
        let relay = Arc::downgrade(relay);
        self.with_registry(|registry| registry.register_collector(Box::new(RelayCollector(relay))));
    }

    pub(crate) fn observe_store(&self, took: Duration) {
        self.store.observe(took.as_secs_f64());
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.with_registry(|registry| {
            if let Err(error) = encode(&mut text, registry) {
                tracing::error!(%error, "the metrics cannot be written");
            }
        });
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Reads the counters of the relay when they are asked for.
#[derive(Debug)]
struct RelayCollector(Weak<Relay>);

impl Collector for RelayCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(relay) = self.0.upgrade() else {
            return Ok(());
        };
        let stats = relay.stats();
        for (name, help, now) in [
            ("relay_allocations", "Allocations that exist", stats.allocations),
            (
                "relay_streams",
                "Clients connected with TCP or TLS",
                stats.streams,
            ),
        ] {
            let gauge = ConstGauge::new(i64::try_from(now).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        for (name, help, count) in [
            (
                "relay_bytes_from_clients",
                "Payload bytes from clients to peers",
                stats.bytes_from_clients,
            ),
            (
                "relay_bytes_to_clients",
                "Payload bytes from peers to clients",
                stats.bytes_to_clients,
            ),
            (
                "relay_refused",
                "Requests refused",
                stats.refused.iter().sum::<u64>(),
            ),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}

/// What is served on the address of `metrics`.
pub(crate) fn router(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(tell)).with_state(metrics)
}

async fn tell(State(metrics): State<Metrics>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.text()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told() {
        let metrics = Metrics::new(true);
        metrics.connections.inc();
        metrics.count_http("/api/auth/login", StatusCode::OK);
        metrics.observe_store(Duration::from_micros(200));
        metrics.count_received(r#"{"type":"ping"}"#);
        let refusal = r#"{"type":"call.error","payload":{"by":"server","details":{"code":"bad_sdp","type":"call.offer"}}}"#;
        metrics.count_sent(refusal);
        metrics.show_calls(&OpenCalls::default());
        let text = metrics.text();
        for line in [
            "ahoy_connections 1",
            "ahoy_http_requests_total{route=\"/api/auth/login\",status=\"200\"} 1",
            "ahoy_messages_total{kind=\"ping\",result=\"received\"} 1",
            "ahoy_messages_total{kind=\"call.offer\",result=\"refused\"} 1",
            "ahoy_refused_total{code=\"bad_sdp\"} 1",
            "ahoy_calls{state=\"ringing\"} 0",
            "ahoy_store_latency_seconds_bucket{le=\"0.0003\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
