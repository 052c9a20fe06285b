// The telephone: signs in, places or takes one call, says how it goes. `phone` is the only global that its user needs.
"use strict";

/** Seconds between reports to the other side, and between signs of life to the server. */
const REPORT_EVERY = 5;
const PING_EVERY = 10;

class Phone {
  constructor() {
    this.state = "signed_out";
    this.me = null;
    this.socket = null;
    this.waiting = null;
    this.call = null;
    this.ended = null;
    this.reports = [];
    this.log = [];
    window.addEventListener("error", (event) => this.note(`error: ${event.message}`));
    window.addEventListener("unhandledrejection", (event) => this.note(`rejected: ${event.reason}`));
  }

  note(text) {
    this.log.push(`${Math.round(performance.now())} ${text}`);
    document.getElementById("log").textContent = this.log.join("\n");
  }

  /** Names of the codecs of a kind that this browser can `send` and `receive`. */
  static codecs(kind) {
    const names = ({ codecs }) => [...new Set(codecs.map((codec) => codec.mimeType.split("/")[1]))];
    return {
      send: names(RTCRtpSender.getCapabilities(kind)),
      receive: names(RTCRtpReceiver.getCapabilities(kind)),
    };
  }

  signIn(server, token) {
    const protocols = ["im-suite.v1.json", `bearer.${token}`];
    this.socket = new WebSocket(`${server}?device_id=page-${crypto.randomUUID()}`, protocols);
    return new Promise((resolve, reject) => {
      this.socket.onclose = (event) => {
        this.note(`closed ${event.code} ${event.reason}`);
        reject(new Error(`the server closed: ${event.code} ${event.reason}`));
      };
      this.socket.onmessage = ({ data }) => {
        const { type, payload } = JSON.parse(data);
        if (type === "welcome") {
          this.me = payload.user_id;
          this.state = "signed_in";
          setInterval(() => this.socket.send(JSON.stringify({ type: "ping" })), PING_EVERY * 1000);
          resolve(payload);
        } else if (type.startsWith("call.")) {
          // One after the other: each is applied before the next.
          this.work = (this.work ?? Promise.resolve())
            .then(() => this.handle(type, payload))
            .catch((error) => this.note(`${type}: ${error}`));
        }
      };
    });
  }

  send(type, payload) {
    this.note(`> ${type} ${payload.status ?? payload.reason ?? ""}`);
    this.socket.send(JSON.stringify({ type, timestamp: new Date().toISOString(), payload }));
  }

  /**
   * Calls somebody. `video` says with pictures or without; `codecs.audio` and `codecs.video` name the only one that may be
   * used, of those that are named. `hz`, `width`, `height`, `frameRate`, `noise` and `maxBitrate` are of what this side sends;
   * `detour` leads over a forwarder.
   */
  async dial(to, options) {
    const id = `call_${crypto.randomUUID()}`;
    this.begin(id, to, "caller", options);
    const { connection } = this.call;
    this.add("audio", connection.addTransceiver("audio"));
    if (options.video) {
      this.add("video", connection.addTransceiver("video"));
    }
    this.state = "calling";
    await this.offer();
  }

  /** Takes the next call that comes, with these options. */
  expect(options) {
    this.waiting = options;
  }

  begin(id, peer, role, options) {
    const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    const received = new MediaStream();
    const camera = options.video ? new Camera(document.getElementById("own"), options) : null;
    const microphone = new Microphone(options.hz);
    this.ended = null;
    this.call = {
      id, peer, role, options, connection, received, camera, microphone,
      detour: new Detour(options.detour ?? null),
      negotiation: 0,
      // Candidates of the other side that came before its description.
      early: [],
      media: { audio: "on", video: camera ? "on" : "off", screen: "off" },
      senders: {},
      screen: new PatternScreen(document.getElementById("remote")),
      ear: null,
      began: performance.now(),
      connectedMs: null,
      reporting: null,
    };
    soundContext.resume();
    connection.ontrack = ({ track }) => this.receive(track);
    connection.onicecandidate = ({ candidate }) => this.trickle(candidate);
    connection.onconnectionstatechange = () => this.follow();
    connection.onicecandidateerror = ({ errorText }) => this.note(`candidate: ${errorText}`);
  }

  add(kind, transceiver) {
    const { options, camera, microphone, senders } = this.call;
    const wanted = options.codecs?.[kind];
    if (wanted) {
      const { codecs } = RTCRtpReceiver.getCapabilities(kind);
      // Digits belong to any voice, and repairs to any picture.
      const names = [wanted, kind === "audio" ? "telephone-event" : "rtx"];
      transceiver.setCodecPreferences(codecs.filter((codec) => names.includes(codec.mimeType.split("/")[1])));
    }
    transceiver.direction = "sendrecv";
    transceiver.sender.replaceTrack(kind === "audio" ? microphone.track : camera.track);
    senders[kind] = transceiver.sender;
  }

  async offer(restart = false) {
    const { call } = this;
    const description = await call.connection.createOffer({ iceRestart: restart });
    await call.connection.setLocalDescription(description);
    this.send("call.offer", {
      call_id: call.id, from_user: this.me, to_user: call.peer, call_type: call.options.video ? "video" : "audio",
      sdp: call.detour.description(description), ice_candidates: [], negotiation: call.negotiation,
      constraints: { audio: true, video: call.options.video },
    });
  }

  async handle(type, payload) {
    this.note(`< ${type} ${payload.status ?? payload.reason ?? payload.error_message ?? ""}`);
    if (type === "call.offer") {
      await (payload.call_id === this.call?.id ? this.takeOffer(payload) : this.ring(payload));
      return;
    }
    if (payload.call_id !== this.call?.id) {
      return;
    }
    switch (type) {
      case "call.answer":
        await this.takeRemote(payload.sdp, payload.ice_candidates);
        break;
      case "call.ice":
        await this.takeCandidate(payload.ice_candidate);
        break;
      case "call.status":
        this.reports.push(payload);
        break;
      case "call.renegotiate":
        this.call.negotiation += 1;
        await this.offer(payload.reason !== "media");
        break;
      case "call.end":
        this.finish({ reason: payload.reason, byUs: false });
        break;
      case "call.error":
        this.finish({ reason: payload.details?.code ?? payload.error_code, byUs: false });
        break;
    }
  }

  async ring(payload) {
    const options = this.waiting;
    if (options === null) {
      return;
    }
    this.waiting = null;
    this.send("call.status", { call_id: payload.call_id, status: "ringing" });
    this.begin(payload.call_id, payload.from_user, "callee", options);
    this.state = "connecting";
    await this.takeOffer(payload);
  }

  async takeOffer(payload) {
    const { call } = this;
    const { connection, detour, senders } = call;
    call.negotiation = payload.negotiation ?? call.negotiation;
    await this.takeRemote(payload.sdp, payload.ice_candidates);
    for (const transceiver of connection.getTransceivers()) {
      const { kind } = transceiver.receiver.track;
      const wanted = kind === "audio" || call.camera !== null;
      if (wanted && senders[kind] === undefined && !transceiver.stopped) {
        this.add(kind, transceiver);
      }
    }
    const description = await connection.createAnswer();
    await connection.setLocalDescription(description);
    this.send("call.answer", {
      call_id: call.id, from_user: this.me, to_user: call.peer, negotiation: payload.negotiation,
      sdp: detour.description(description), ice_candidates: [],
    });
  }

  async takeRemote(sdp, candidates) {
    const { call } = this;
    await call.connection.setRemoteDescription(call.detour.description(sdp));
    if (this.state === "calling") {
      this.state = "connecting";
    }
    const early = [...call.early, ...(candidates ?? [])];
    call.early = [];
    for (const candidate of early) {
      await this.takeCandidate(candidate);
    }
  }

  async takeCandidate(candidate) {
    const { connection, detour, early } = this.call;
    if (connection.remoteDescription === null) {
      early.push(candidate);
      return;
    }
    const led = candidate === null ? null : detour.incoming(candidate);
    if (led !== null) {
      await connection.addIceCandidate(led);
    }
  }

  trickle(candidate) {
    const { call } = this;
    if (call === null) {
      return;
    }
    const led = candidate === null ? null : call.detour.outgoing(candidate.toJSON?.() ?? candidate);
    if (candidate === null || led !== null) {
      this.send("call.ice", {
        call_id: call.id, from_user: this.me, to_user: call.peer, ice_candidate: led,
      });
    }
  }

  receive(track) {
    const { call } = this;
    call.received.addTrack(track);
    if (track.kind === "audio") {
      call.ear = new Ear(new MediaStream([track]));
    } else {
      call.screen.show(new MediaStream([track]));
    }
  }

  follow() {
    const { call } = this;
    const { connectionState } = call.connection;
    this.note(`connection ${connectionState}`);
    if (connectionState === "connected" && this.state !== "connected") {
      this.state = "connected";
      call.connectedMs ??= performance.now() - call.began;
      this.report();
      call.reporting ??= setInterval(() => this.report(), REPORT_EVERY * 1000);
      this.limit();
    } else if (["disconnected", "failed"].includes(connectionState)) {
      this.state = "reconnecting";
    }
  }

  /** The most that pictures may take, in bit/s. */
  async limit() {
    const { senders, options } = this.call;
    const parameters = senders.video?.getParameters();
    if (options.maxBitrate && parameters?.encodings.length > 0) {
      parameters.encodings[0].maxBitrate = options.maxBitrate;
      parameters.degradationPreference = "maintain-framerate";
      await senders.video.setParameters(parameters);
    }
  }

  report() {
    const { id, media } = this.call;
    this.send("call.status", { call_id: id, status: "connected", media });
  }

  mute(muted) {
    const { microphone, media } = this.call;
    microphone.track.enabled = !muted;
    media.audio = muted ? "muted" : "on";
    this.report();
  }

  /** Presses keys of a telephone, as fast as may be. */
  press(keys) {
    this.call.senders.audio.dtmf.insertDTMF(keys, 100, 80);
  }

  async show(shown) {
    const { camera, media, senders } = this.call;
    await senders.video.replaceTrack(shown ? camera.track : null);
    media.video = shown ? "on" : "off";
    this.report();
  }

  /** New paths. Re-offers are the caller's, so a callee asks for one. */
  async restart() {
    const { call } = this;
    if (call.role === "caller") {
      call.negotiation += 1;
      await this.offer(true);
    } else {
      this.send("call.renegotiate", { call_id: call.id, reason: "ice_restart" });
    }
  }

  hangUp() {
    const duration = Math.round((performance.now() - this.call.began) / 1000);
    this.send("call.end", {
      call_id: this.call.id, from_user: this.me, to_user: this.call.peer, reason: "user_hangup", duration,
      ended_at: new Date().toISOString(),
    });
    this.finish({ reason: "user_hangup", byUs: true });
  }

  finish(ended) {
    const { call } = this;
    clearInterval(call.reporting);
    call.connection.close();
    call.camera?.stop();
    call.microphone.stop();
    call.screen.stop();
    call.ear?.stop();
    this.ended = ended;
    this.state = "ended";
    this.call = null;
  }

  /** What is seen and heard of the other side, and the browser's statistics with the codecs by name. */
  async measure() {
    const { connection, camera, screen, ear, connectedMs } = this.call;
    const reports = [...(await connection.getStats()).values()];
    const byId = new Map(reports.map((report) => [report.id, report]));
    const stream = (type, kind) => {
      const found = reports.filter((report) => report.type === type && report.kind === kind);
      // A stream of the past stays in the statistics; the one with most packets is meant.
      const packets = (report) => report.packetsReceived ?? report.packetsSent ?? 0;
      const report = found.sort((one, other) => packets(other) - packets(one))[0];
      return report && { ...report, codec: byId.get(report.codecId)?.mimeType.split("/")[1] ?? null };
    };
    const transport = reports.find((report) => report.type === "transport");
    return {
      connectedMs,
      cameraRate: camera?.rate() ?? null,
      screen: screen.report(),
      ear: ear?.hear() ?? null,
      audioIn: stream("inbound-rtp", "audio"),
      audioOut: stream("outbound-rtp", "audio"),
      videoIn: stream("inbound-rtp", "video"),
      videoOut: stream("outbound-rtp", "video"),
      lossOut: stream("remote-inbound-rtp", "video")?.fractionLost ?? null,
      pair: byId.get(transport?.selectedCandidatePairId) ?? null,
    };
  }
}

const phone = new Phone();
