// A camera that shows the numbered picture, on demand with noise in it that takes all the bits that an encoder may spend.
"use strict";

class Camera {
  constructor(canvas, { width, height, frameRate, noise }) {
    canvas.width = width;
    canvas.height = height;
    this.context = canvas.getContext("2d");
    this.number = 0;
    this.began = performance.now();
    this.noise = noise ? Camera.noise(width, height) : null;
    this.draw();
    // Nothing is captured but what is asked for: each picture once.
    [this.track] = canvas.captureStream(0).getVideoTracks();
    this.timer = setInterval(() => this.draw(), 1000 / frameRate);
  }

  draw() {
    Pattern.draw(this.context, this.number, Date.now());
    if (this.noise !== null) {
      this.snow();
    }
    this.number += 1;
    this.track?.requestFrame();
  }

  /** Random greys, larger than the part of the picture that shows them. */
  static noise(width, height) {
    const canvas = new OffscreenCanvas(width * 2, height);
    const context = canvas.getContext("2d");
    const image = context.createImageData(width * 2, height);
    for (let at = 0; at < image.data.length; at += 4) {
      image.data.fill(Math.random() * 256, at, at + 3);
      image.data[at + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  /** Another part of the noise at the lower edge, with every picture: enough for a link, and not too much for a keyframe. */
  snow() {
    const { width, height } = this.context.canvas;
    const [across, down] = [Math.random() * width, Math.random() * height * 0.6].map(Math.floor);
    const below = Math.ceil(height / 8);
    this.context.drawImage(this.noise, across, down, width, below, 0, height - below, width, below);
  }

  /** Pictures made per second since the beginning: fewer than asked for where the machine is too busy. */
  rate() {
    return (this.number * 1000) / (performance.now() - this.began);
  }

  stop() {
    clearInterval(this.timer);
    this.track.stop();
  }
}
