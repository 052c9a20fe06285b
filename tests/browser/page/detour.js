// Leads the packets of a call over a forwarder, by putting its two addresses where the candidates of the two sides stood.
"use strict";

class Detour {
  /** `ours` is where the other side is to send to, `theirs` where this page is to; `null` changes nothing. */
  constructor(addresses) {
    this.addresses = addresses;
    this.told = { ours: false, theirs: false };
  }

  /** A candidate for the other side, or null when it is not to know it. */
  outgoing(candidate) {
    return this.led("ours", candidate);
  }

  /** A candidate of the other side, or null when this page is not to know it. */
  incoming(candidate) {
    return this.led("theirs", candidate);
  }

  /** The description without candidates, which would lead past the forwarder. */
  description({ type, sdp }) {
    const kept = (line) => !line.startsWith("a=candidate:");
    return this.addresses === null ? { type, sdp } : { type, sdp: sdp.split(/(?<=\n)/).filter(kept).join("") };
  }

  led(side, candidate) {
    if (this.addresses === null || !candidate.candidate) {
      return candidate;
    }
    const words = candidate.candidate.split(" ");
    // One is enough: all of them would name the same address.
    if (this.told[side] || words[2].toLowerCase() !== "udp" || words[7] !== "host") {
      return null;
    }
    this.told[side] = true;
    [words[4], words[5]] = this.addresses[side].split(":");
    return { ...candidate, candidate: words.join(" ") };
  }
}
