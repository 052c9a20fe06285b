// A camera that shows the numbered picture.
"use strict";

class Camera {
  constructor(canvas, { width, height, frameRate }) {
    canvas.width = width;
    canvas.height = height;
    this.context = canvas.getContext("2d");
    this.number = 0;
    this.draw();
    // Nothing is captured but what is asked for: each picture once.
    [this.track] = canvas.captureStream(0).getVideoTracks();
    this.timer = setInterval(() => this.draw(), 1000 / frameRate);
  }

  draw() {
    Pattern.draw(this.context, this.number, Date.now());
    this.number += 1;
    this.track?.requestFrame();
  }

  stop() {
    clearInterval(this.timer);
    this.track.stop();
  }
}
