// A screen that reads the numbered picture of each frame that is shown, and counts.
"use strict";

/** Pixels across that are enough to read it; more take their time without a graphics card. */
const READ_WIDTH = 320;

class PatternScreen {
  constructor(video) {
    this.video = video;
    this.canvas = new OffscreenCanvas(16, 16);
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.counts = { frames: 0, unreadable: 0, backwards: 0, longestGapMs: 0, width: 0, height: 0 };
    this.latenciesMs = [];
    this.number = null;
    this.shownAt = null;
    this.looking = true;
    this.look();
  }

  show(stream) {
    this.video.srcObject = stream;
  }

  look() {
    this.video.requestVideoFrameCallback((now, frame) => {
      if (this.looking) {
        this.read(now, frame.width, frame.height);
        this.look();
      }
    });
  }

  read(now, width, height) {
    const { counts } = this;
    const across = Math.min(width, READ_WIDTH);
    const down = Math.round((height * across) / width);
    if (this.canvas.width !== across || this.canvas.height !== down) {
      [this.canvas.width, this.canvas.height] = [across, down];
    }
    this.context.drawImage(this.video, 0, 0, across, down);
    const mark = Pattern.read(this.context.getImageData(0, 0, across, down).data, across, down);
    counts.frames += 1;
    [counts.width, counts.height] = [width, height];
    if (this.shownAt !== null) {
      counts.longestGapMs = Math.max(counts.longestGapMs, now - this.shownAt);
    }
    this.shownAt = now;
    if (mark === null) {
      counts.unreadable += 1;
      return;
    }
    // The element may show the next picture before it tells of it, so that one is met twice.
    if (this.number !== null && mark.number < this.number) {
      counts.backwards += 1;
    }
    this.number = mark.number;
    this.latenciesMs.push(Date.now() - mark.wallMs);
  }

  /** Counts since the beginning, and the delay from drawing to showing of the last hundred pictures. */
  report() {
    const sorted = this.latenciesMs.slice(-100).sort((one, other) => one - other);
    return { ...this.counts, number: this.number, latencyMs: sorted[sorted.length >> 1] ?? null };
  }

  /** The next gap is not one: the pictures were stopped on purpose. */
  forgive() {
    this.shownAt = null;
  }

  stop() {
    this.looking = false;
    this.video.srcObject = null;
  }
}
