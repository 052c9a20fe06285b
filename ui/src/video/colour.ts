// I420 in limited range to RGBA, with the coefficients of BT.601 (ITU-R BT.601-7, what libvpx assumes). Pure.
import { chromaSide, type Frame } from "./frame";

// Fixed point, 16 fractional bits.
const LUMA = Math.round((255 / 219) * 65536);
const RED_V = Math.round(1.596027 * 65536);
const GREEN_U = Math.round(0.391762 * 65536);
const GREEN_V = Math.round(0.812968 * 65536);
const BLUE_U = Math.round(2.017232 * 65536);
const HALF = 1 << 15;
/** Alpha, the highest byte of a pixel on the little-endian machines that Ahoy runs on. */
const OPAQUE = 0xff << 24;

/** Writes `frame` as RGBA, row by row, from right to left when `mirror`. `rgba` holds one number per pixel. */
export function writeRgba(frame: Frame, mirror: boolean, rgba: Uint32Array): void {
  const { width, height, y: luma, u: blue, v: red } = frame;
  const chromaWidth = chromaSide(width);
  const step = mirror ? -1 : 1;
  for (let row = 0; row < height; row += 1) {
    let from = row * width;
    const end = from + width;
    let at = mirror ? end - 1 : from;
    let chroma = (row >> 1) * chromaWidth;
    // Two pixels share their chroma: its products are made once for both.
    while (from < end) {
      const u = (blue[chroma] as number) - 128;
      const v = (red[chroma] as number) - 128;
      chroma += 1;
      const addRed = RED_V * v + HALF;
      const addGreen = HALF - GREEN_U * u - GREEN_V * v;
      const addBlue = BLUE_U * u + HALF;
      const pairEnd = from + 2 < end ? from + 2 : end;
      for (; from < pairEnd; from += 1) {
        const base = ((luma[from] as number) - 16) * LUMA;
        rgba[at] = pack((base + addRed) >> 16, (base + addGreen) >> 16, (base + addBlue) >> 16);
        at += step;
      }
    }
  }
}

/** An opaque pixel. Most values are in range; one test for all three keeps that case short. */
function pack(r: number, g: number, b: number): number {
  if (((r | g | b) & ~255) === 0) return OPAQUE | (b << 16) | (g << 8) | r;
  return OPAQUE | (clamp(b) << 16) | (clamp(g) << 8) | clamp(r);
}

function clamp(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
