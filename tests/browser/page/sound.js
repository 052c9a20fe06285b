// A microphone that is a tone, and an ear that tells which tone it hears.
"use strict";

const soundContext = new AudioContext({ sampleRate: 48000 });

class Microphone {
  constructor(hz) {
    this.oscillator = new OscillatorNode(soundContext, { frequency: hz });
    // -12 dBFS, as `tone:HZ` has it.
    const level = new GainNode(soundContext, { gain: 0.25 });
    const output = new MediaStreamAudioDestinationNode(soundContext, { channelCount: 1 });
    this.oscillator.connect(level).connect(output);
    this.oscillator.start();
    [this.track] = output.stream.getAudioTracks();
  }

  stop() {
    this.oscillator.stop();
    this.track.stop();
  }
}

class Ear {
  constructor(stream) {
    // Without an element that plays it, Chromium does not decode the sound of a call.
    this.element = new Audio();
    this.element.muted = true;
    this.element.srcObject = stream;
    this.element.play();
    this.source = new MediaStreamAudioSourceNode(soundContext, { mediaStream: stream });
    this.analyser = new AnalyserNode(soundContext, { fftSize: 8192, smoothingTimeConstant: 0 });
    this.source.connect(this.analyser);
  }

  /**
   * What is heard in the last 0.17 s: `levelDb` in dBFS; `hz` of the strongest tone from 50 to 2000 Hz; `toneDb`, its power
   * over that of everything else up to 4 kHz.
   */
  hear() {
    const { analyser } = this;
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    const width = soundContext.sampleRate / analyser.fftSize;
    const at = (hz) => Math.round(hz / width);
    let peak = at(50);
    for (let bin = at(50); bin <= at(2000); bin += 1) {
      peak = bins[bin] > bins[peak] ? bin : peak;
    }
    // The window (Blackman) spreads a tone over three bins each way; a parabola through the highest three finds its middle.
    const [before, middle, after] = [bins[peak - 1], bins[peak], bins[peak + 1]];
    const offset = (before - after) / (2 * (before - 2 * middle + after)) || 0;
    let [tone, other] = [0, 0];
    for (let bin = at(50); bin <= at(4000); bin += 1) {
      const linear = 10 ** (bins[bin] / 10);
      if (Math.abs(bin - peak) <= 4) {
        tone += linear;
      } else {
        other += linear;
      }
    }
    return {
      levelDb: 10 * Math.log10(power + 1e-12),
      hz: (peak + offset) * width,
      toneDb: 10 * Math.log10((tone + 1e-12) / (other + 1e-12)),
    };
  }

  stop() {
    this.source.disconnect();
    this.element.srcObject = null;
  }
}
