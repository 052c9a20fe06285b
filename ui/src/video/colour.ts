// I420 in limited range to RGBA, with the coefficients of BT.601 (ITU-R BT.601-7, what libvpx assumes). Pure.
import { chromaSide, type Frame } from "./frame";

// Fixed point, 16 fractional bits.
const LUMA = Math.round((255 / 219) * 65536);
const RED_V = Math.round(1.596027 * 65536);
const GREEN_U = Math.round(0.391762 * 65536);
const GREEN_V = Math.round(0.812968 * 65536);
const BLUE_U = Math.round(2.017232 * 65536);
const HALF = 1 << 15;

/** Writes `frame` as RGBA, row by row, from right to left when `mirror`. `rgba` holds one number per pixel. */
export function writeRgba(frame: Frame, mirror: boolean, rgba: Uint32Array): void {
  const { width, height, y: luma, u: blue, v: red } = frame;
  const chromaWidth = chromaSide(width);
  const step = mirror ? -1 : 1;
  for (let row = 0; row < height; row += 1) {
    const lumaRow = row * width;
    const chromaRow = (row >> 1) * chromaWidth;
    let at = mirror ? lumaRow + width - 1 : lumaRow;
    for (let column = 0; column < width; column += 1) {
      const chroma = chromaRow + (column >> 1);
      const u = (blue[chroma] as number) - 128;
      const v = (red[chroma] as number) - 128;
      const base = ((luma[lumaRow + column] as number) - 16) * LUMA + HALF;
      let r = (base + RED_V * v) >> 16;
      let g = (base - GREEN_U * u - GREEN_V * v) >> 16;
      let b = (base + BLUE_U * u) >> 16;
      // Most pixels are in range; one test for all three keeps the loop short.
      if (((r | g | b) & ~255) !== 0) {
        r = r < 0 ? 0 : r > 255 ? 255 : r;
        g = g < 0 ? 0 : g > 255 ? 255 : g;
        b = b < 0 ? 0 : b > 255 ? 255 : b;
      }
      rgba[at] = (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
      at += step;
    }
  }
}
