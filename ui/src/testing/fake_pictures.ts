// The far end of a video feed that paints its own pictures: a harbour for the remote view, a gradient for the own one.
import type { FeedSocket } from "../video/feed";
import { chromaSide, encodeFrame } from "../video/frame";

/** Milliseconds between two pictures, as from a camera with 30 a second. */
const FRAME_MS = 33;

export class FakePictures implements FeedSocket {
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  private view = "remote";
  private sequence = 0;
  private closed = false;

  constructor() {
    setTimeout(() => this.onopen?.(new Event("open")), 0);
  }

  send(text: string): void {
    const message: unknown = JSON.parse(text);
    if (typeof message !== "object" || message === null) return;
    if ("view" in message) {
      this.view = String(message.view);
      return;
    }
    if (!("width" in message) || !("height" in message)) return;
    const [width, height] = fit(Number(message.width), Number(message.height));
    setTimeout(() => {
      if (this.closed) return;
      this.sequence += 1;
      const data = paint(width, height, this.sequence, this.view === "local");
      this.onmessage?.(new MessageEvent("message", { data }));
    }, FRAME_MS);
  }

  close(): void {
    this.closed = true;
    this.onclose?.(new CloseEvent("close"));
  }
}

/** The largest 16:9 picture in a tile, even sides. */
function fit(width: number, height: number): [number, number] {
  const scale = Math.min(width / 16, height / 9);
  return [Math.max(2, Math.round((scale * 16) / 2) * 2), Math.max(2, Math.round((scale * 9) / 2) * 2)];
}

type Colour = [y: number, u: number, v: number];

const SKY: Colour = [168, 138, 118];
const DUSK: Colour = [196, 104, 148];
const WATER: Colour = [92, 142, 108];
const SAIL: Colour = [226, 122, 134];
const HULL: Colour = [88, 100, 170];
const WALL: Colour = [70, 132, 124];
const COAT: Colour = [92, 96, 186];
const SKIN: Colour = [150, 108, 154];

function paint(width: number, height: number, sequence: number, local: boolean): ArrayBuffer {
  const chromaWidth = chromaSide(width);
  const chromaHeight = chromaSide(height);
  const y = new Uint8Array(width * height);
  const u = new Uint8Array(chromaWidth * chromaHeight);
  const v = new Uint8Array(chromaWidth * chromaHeight);
  const colour = local ? portrait : harbour;
  const drift = Math.sin(sequence / 40) * 0.02;
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const [luma, blue, red] = colour(column / width, row / height, drift);
      y[row * width + column] = luma;
      const chroma = (row >> 1) * chromaWidth + (column >> 1);
      u[chroma] = blue;
      v[chroma] = red;
    }
  }
  return encodeFrame({ width, height, sequence, capturedUs: BigInt(Date.now()) * 1000n, y, u, v });
}

function harbour(x: number, y: number, drift: number): Colour {
  const horizon = 0.62;
  const mast = 0.5 + drift;
  const sail = y > 0.2 && y < 0.56 && x > mast + 0.006 && x < mast + 0.006 + (y - 0.2) * 0.34;
  const jib = y > 0.27 && y < 0.56 && x < mast - 0.006 && x > mast - 0.006 - (y - 0.27) * 0.3;
  const hull = y > 0.58 && y < 0.66 && Math.abs(x - mast) < 0.15 - (y - 0.58) * 0.7;
  if (sail || jib) return SAIL;
  if (hull) return HULL;
  if (y < horizon) return mix(SKY, DUSK, y / horizon);
  const wave = Math.sin(x * 60 + y * 40 + drift * 90) * 4;
  return [WATER[0] + wave - (y - horizon) * 60, WATER[1], WATER[2]];
}

function portrait(x: number, y: number, drift: number): Colour {
  const middle = 0.5 + drift;
  if (Math.hypot((x - middle) * 1.6, y - 0.42) < 0.2) return SKIN;
  if (y > 0.66 && Math.abs(x - middle) < 0.3 - Math.max(0, 0.78 - y) * 0.9) return COAT;
  return [WALL[0] + x * 60, WALL[1], WALL[2]];
}

function mix(from: Colour, to: Colour, part: number): Colour {
  return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part, from[2] + (to[2] - from[2]) * part];
}
