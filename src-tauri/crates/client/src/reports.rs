//! What the two sides tell each other about a call that is up (IM-Suite §4.5), and the once-a-second look at it.

use crate::actor::Actor;
use crate::attention::Change;
use crate::measure;
use crate::peer_task::PeerWork;
use crate::snapshot::{ClientEvent, MediaMoment};
use crate::stats::CallStats;
use crate::streams::{self, STREAM_SILENT};
use ahoy_call::{CallId, CallState, LinkPath, NetworkStats, RefusalCode, Report, Signal, Toggle};
use ahoy_peer::{NetworkPath, PeerStats};
use std::time::{Duration, Instant};

impl Actor {
    pub(crate) fn handle_live_time(&mut self, now: Instant) {
        self.recover_devices(now);
        for call in self.legs.ids() {
            self.handle_leg_time(now, &call);
        }
    }

    fn handle_leg_time(&mut self, now: Instant, call: &CallId) {
        let interval = self.settings.stats_interval;
        let limits = self.settings.limits.clone();
        let Some(live) = self.legs.get_mut(call) else {
            return;
        };
        let due = live.handle_timeout(now, interval);
        live.follow_ladder(now, &limits);
        let step = live.poll_picture_step();
        let muted = live.muted;
        let noticed = live.session().map(|session| session.noticed(muted));
        let attention = noticed.map(|noticed| live.attention.handle(now, noticed));
        let played = live.session().and_then(|session| session.take_first_played());
        if due.stats {
            live.order(PeerWork::Stats);
        }
        if due.report {
            self.send_report(call);
        }
        if let Some(step) = step {
            tracing::info!(step = step.name, limitation = step.limitation.as_str(), "picture");
            self.tell(ClientEvent::Picture(step));
        }
        for change in attention.into_iter().flatten() {
            match change {
                Change::Show(code) => self.notice(code, ""),
                Change::Hide(code) => self.dismiss(code),
            }
        }
        if let Some(at) = played {
            self.tell(ClientEvent::Media {
                video: false,
                what: MediaMoment::FirstRendered,
                at,
            });
        }
    }

    /// Joins the connection's counters with those of the media and judges them.
    pub(crate) fn handle_stats(&mut self, now: Instant, call: &CallId, peer: PeerStats) {
        let limits = self.settings.limits.clone();
        let Some(live) = self.legs.get_mut(call) else {
            return;
        };
        let plan = live.follow_ladder(now, &limits);
        let media = live.session().map(|session| session.stats(now));
        let stats = live.meter.measure(now, &peer, media.as_ref(), plan);
        if let Some(session) = live.session() {
            session.set_round_trip(Duration::from_secs_f64(stats.transport.rtt.unwrap_or(0.0)));
        }
        let media_in_age = live.meter.media_in_age(now);
        live.sample = measure::sample(&stats, &peer, media.as_ref(), media_in_age, live.connected);
        live.note_conditions(&stats.transport, &peer, media.as_ref());
        live.peer_stats = peer;
        live.stats = stats;
        let silent = streams::is_silent(live.way, media_in_age);
        if self.legs.telling().is_some_and(|live| live.call == *call) {
            self.tell_figures(now, call);
        }
        match silent {
            Some(true) if !self.has_notice(STREAM_SILENT) => {
                self.notice(
                    STREAM_SILENT,
                    "nothing of the stream has arrived for some seconds",
                );
            }
            Some(false) => self.dismiss(STREAM_SILENT),
            Some(true) | None => {}
        }
    }

    /// Tells the figures of the call, of which those of `call` have come, and judges them.
    fn tell_figures(&mut self, now: Instant, call: &CallId) {
        let both = self.legs.both_ways();
        let joined = both
            .filter(|(sending, receiving)| sending.connected_at.is_some() && receiving.connected_at.is_some())
            .map(|(sending, receiving)| {
                let stats = CallStats::joined(&sending.stats, &receiving.stats);
                (stats, measure::join_samples(sending.sample, receiving.sample))
            });
        let Some(live) = self.legs.get_mut(call) else {
            return;
        };
        let (stats, sample) = joined.unwrap_or_else(|| (live.stats.clone(), live.sample));
        live.judge.handle_sample(now, sample);
        let verdict = live.judge.poll_verdict(now);
        let changed = verdict != live.verdict;
        live.verdict = verdict.clone();
        self.tell(ClientEvent::Stats(Box::new(stats)));
        if changed {
            self.tell(ClientEvent::Verdict(verdict));
        }
    }

    /// Says that the path is lost and a new one is looked for, if signaling still reaches the other side.
    pub(crate) fn send_loss(&mut self, call: &CallId) {
        let report = Report {
            connected: false,
            duration: None,
            audio_quality: None,
            video_quality: None,
            network: None,
            media: None,
        };
        let call = call.clone();
        self.send_signal(Signal::Report { call, report });
    }

    fn send_report(&mut self, call: &CallId) {
        let Some(live) = self.legs.get(call) else { return };
        if !live.connected {
            return;
        }
        let stats = &live.stats;
        let ms = |seconds: Option<f64>| seconds.map(|seconds| (seconds * 1e6).round() / 1e3);
        let video = stats.video_in.as_ref();
        let network = NetworkStats {
            packet_loss: stats.transport.loss_in,
            jitter: ms(stats.audio_in.jitter),
            rtt: ms(stats.transport.rtt),
            bitrate_in: Some(stats.audio_in.bitrate + video.map_or(0, |video| video.bitrate)),
            bitrate_out: Some(
                stats.audio_out.bitrate + stats.video_out.as_ref().map_or(0, |video| video.bitrate),
            ),
            available_out: stats.transport.available_outgoing_bitrate,
            fps: video.map(|video| video.frames_per_second),
            resolution: video
                .filter(|video| video.frame_width > 0)
                .map(|video| ahoy_call::Resolution {
                    width: video.frame_width,
                    height: video.frame_height,
                }),
            path: live.peer_stats.transport.path.map(link_path),
        };
        let known = stats.transport.rtt.is_some();
        let report = Report {
            connected: true,
            duration: live.connected_at.and_then(|at| at.elapsed().ok()),
            audio_quality: known.then(|| measure::audio_quality(stats)).flatten(),
            video_quality: known.then(|| measure::video_quality(stats)).flatten(),
            network: known.then_some(network),
            media: Some(live.media_state()),
        };
        let signal = Signal::Report {
            call: live.call.clone(),
            report,
        };
        self.send_signal(signal);
    }

    /// The transport is lost and recovery runs: the other side is told at once, as far as the server carries it.
    pub(crate) fn report_lost(&mut self) {
        for call in self.legs.ids() {
            let state = self.snapshot_of(&call).map(|half| half.state);
            if state == Some(CallState::Reconnecting) {
                self.report_lost_half(&call);
            }
        }
    }

    fn report_lost_half(&mut self, call: &CallId) {
        let Some(live) = self.legs.get(call) else { return };
        let report = Report {
            connected: false,
            duration: live.connected_at.and_then(|at| at.elapsed().ok()),
            audio_quality: None,
            video_quality: None,
            network: None,
            media: Some(live.media_state()),
        };
        let call = live.call.clone();
        self.send_signal(Signal::Report { call, report });
    }

    /// Keeps what the other side says of itself and wishes for.
    pub(crate) fn note_report(&mut self, signal: &Signal) {
        match signal {
            Signal::Refused {
                call: Some(call),
                refusal,
            } if refusal.code == RefusalCode::RateLimited => {
                self.retry_after = refusal.retry_after.map(|after| (call.clone(), after))
            }
            Signal::Offer(offer) => {
                self.pending_limit = Some((offer.call.clone(), offer.constraints.clone()))
            }
            Signal::Answer {
                call,
                constraints: Some(constraints),
                ..
            } => {
                self.pending_limit = Some((call.clone(), constraints.clone()));
            }
            Signal::Report { call, report } => {
                let Some(live) = self.legs.get_mut(call) else {
                    return;
                };
                live.their_words.audio.handle_word(report.audio_quality);
                live.their_words.video.handle_word(report.video_quality);
                if let Some(media) = report.media {
                    live.remote_media = media;
                    let audible = media.audio != Some(Toggle::Off);
                    live.lip_sync.lock().set_audible(audible);
                    if let (Some(session), Some(video)) = (live.session(), media.video) {
                        session.set_remote_video(video == Toggle::On);
                    }
                }
            }
            Signal::Answer { .. }
            | Signal::Ringing { .. }
            | Signal::AnsweredElsewhere { .. }
            | Signal::Candidate { .. }
            | Signal::End { .. }
            | Signal::Refused { .. }
            | Signal::Renegotiate { .. } => {}
        }
        if let Some((call, constraints)) = &self.pending_limit
            && let Some(live) = self.legs.get_mut(call)
        {
            live.take_constraints(constraints);
        }
    }
}

fn link_path(path: NetworkPath) -> LinkPath {
    match path {
        NetworkPath::Host => LinkPath::Host,
        NetworkPath::ServerReflexive => LinkPath::ServerReflexive,
        NetworkPath::PeerReflexive => LinkPath::PeerReflexive,
        NetworkPath::Relay => LinkPath::Relay,
    }
}
