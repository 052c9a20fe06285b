// The numbered picture of `pattern:WxH@FPS`, as `ahoy-cli` draws and reads it: 96 blocks with number, time and checksum in
// the upper two thirds, moving stripes below.
"use strict";

const Pattern = (() => {
  const COLUMNS = 16;
  const ROWS = 6;
  // Full-range greys that become the 32 and 220 of the pattern in a codec's limited range.
  const BLACK = "rgb(19, 19, 19)";
  const WHITE = "rgb(237, 237, 237)";
  const MIDDLE = 128;

  /** CRC-16 with the polynomial of CCITT, all ones at the start. */
  function checksum(bytes) {
    let sum = 0xffff;
    for (const byte of bytes) {
      sum ^= byte << 8;
      for (let bit = 0; bit < 8; bit += 1) {
        sum = (sum & 0x8000 ? (sum << 1) ^ 0x1021 : sum << 1) & 0xffff;
      }
    }
    return sum;
  }

  function edge(at, size, count) {
    return Math.floor((at * size) / count);
  }

  /** The blocks fill two thirds of the height. */
  function rowEdge(row, height) {
    return edge(row, height * 2, ROWS * 3);
  }

  function toBytes(number, wallMs) {
    const bytes = new Uint8Array(12);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, number >>> 0);
    view.setUint16(4, Math.floor(wallMs / 2 ** 32) & 0xffff);
    view.setUint32(6, wallMs % 2 ** 32);
    view.setUint16(10, checksum(bytes.subarray(0, 10)));
    return bytes;
  }

  function draw(context, number, wallMs) {
    const { width, height } = context.canvas;
    const bytes = toBytes(number, wallMs);
    context.fillStyle = BLACK;
    context.fillRect(0, 0, width, rowEdge(ROWS, height));
    context.fillStyle = WHITE;
    for (let at = 0; at < COLUMNS * ROWS; at += 1) {
      if (bytes[at >> 3] & (0x80 >> (at & 7))) {
        const [row, column] = [Math.floor(at / COLUMNS), at % COLUMNS];
        const [left, top] = [edge(column, width, COLUMNS), rowEdge(row, height)];
        context.fillRect(left, top, edge(column + 1, width, COLUMNS) - left, rowEdge(row + 1, height) - top);
      }
    }
    const stripes = context.createLinearGradient(0, 0, width, 0);
    const shift = (number % width) / width;
    // A triangle wave over the width that wanders to the left; its corners and both ends are all the stops there are.
    const wave = (at) => {
      const phase = ((at + shift) % 1) * 2;
      const rise = Math.round(64 + 128 * (phase < 1 ? phase : 2 - phase));
      return `rgb(${rise}, ${255 - rise}, 128)`;
    };
    for (const stop of [0, 1 - shift, (1.5 - shift) % 1, 1]) {
      stripes.addColorStop(stop, wave(stop));
    }
    context.fillStyle = stripes;
    context.fillRect(0, rowEdge(ROWS, height), width, height);
  }

  /** Mean green of the middle ninth of a block, away from blurred edges. */
  function middleOfBlock(pixels, width, height, row, column) {
    const middle = (from, to) => {
      const third = Math.floor((to - from) / 3);
      return [from + third, Math.max(to - third, from + third + 1)];
    };
    const [top, bottom] = middle(rowEdge(row, height), rowEdge(row + 1, height));
    const [left, right] = middle(edge(column, width, COLUMNS), edge(column + 1, width, COLUMNS));
    let sum = 0;
    for (let y = top; y < bottom; y += 1) {
      for (let x = left; x < right; x += 1) {
        sum += pixels[(y * width + x) * 4 + 1];
      }
    }
    return sum / ((bottom - top) * (right - left));
  }

  /** `{number, wallMs}`, or null when the picture shows no pattern or is too broken. */
  function read(pixels, width, height) {
    const bytes = new Uint8Array(12);
    for (let at = 0; at < COLUMNS * ROWS; at += 1) {
      if (middleOfBlock(pixels, width, height, Math.floor(at / COLUMNS), at % COLUMNS) > MIDDLE) {
        bytes[at >> 3] |= 0x80 >> (at & 7);
      }
    }
    const view = new DataView(bytes.buffer);
    if (checksum(bytes.subarray(0, 10)) !== view.getUint16(10)) {
      return null;
    }
    return { number: view.getUint32(0), wallMs: view.getUint16(4) * 2 ** 32 + view.getUint32(6) };
  }

  return { draw, read };
})();
