import { describe, expect, it } from "vitest";
import { writeRgba } from "./colour";
import { encodeFrame, FRAME_MAGIC, HEADER_BYTES, parseFrame, type Frame } from "./frame";
import { isSoftwareGl } from "./renderer";
import { planesOf } from "./webgl";

/** A picture of one colour, with a first pixel of another luma. */
function plain(width: number, height: number, [y, u, v]: [number, number, number]): Frame {
  const chroma = Math.ceil(width / 2) * Math.ceil(height / 2);
  return {
    width,
    height,
    sequence: 7,
    capturedUs: 1_700_000_000_123_456n,
    y: new Uint8Array(width * height).fill(y),
    u: new Uint8Array(chroma).fill(u),
    v: new Uint8Array(chroma).fill(v),
  };
}

describe("the message", () => {
  it("is read as it is written, with odd sides", () => {
    const frame = plain(5, 3, [80, 90, 240]);
    frame.y[0] = 16;
    expect(parseFrame(encodeFrame(frame))).toEqual(frame);
  });

  it("has its fields where the shell writes them", () => {
    const message = new ArrayBuffer(HEADER_BYTES + 2 * 2 + 2);
    const bytes = new Uint8Array(message);
    bytes.set([0x41, 0x48, 0x4f, 0x59, 2, 0, 0, 0, 2, 0, 0, 0, 0x39, 0x30, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    bytes.set([10, 20, 30, 40, 50, 60], HEADER_BYTES);
    const frame = parseFrame(message);
    expect(frame?.sequence).toBe(12345);
    expect(frame?.capturedUs).toBe(4294967297n);
    expect([...(frame?.y ?? [])]).toEqual([10, 20, 30, 40]);
    expect([...(frame?.u ?? []), ...(frame?.v ?? [])]).toEqual([50, 60]);
  });

  it("that is damaged is no picture", () => {
    const good = encodeFrame(plain(4, 2, [16, 128, 128]));
    expect(parseFrame(good.slice(0, good.byteLength - 1))).toBeNull();
    expect(parseFrame(good.slice(0, 10))).toBeNull();
    expect(parseFrame(new ArrayBuffer(0))).toBeNull();
    for (const [at, value] of [
      [0, FRAME_MAGIC + 1],
      [4, 0],
      [4, 0xffffffff],
      [8, 3],
    ] as const) {
      const bad = good.slice(0);
      new DataView(bad).setUint32(at, value, true);
      expect(parseFrame(bad)).toBeNull();
    }
  });
});

describe("the colours of BT.601, limited range", () => {
  const rgb = (yuv: [number, number, number]): number[] => {
    const pixels = new Uint32Array(1);
    writeRgba(plain(1, 1, yuv), false, pixels);
    const value = pixels[0] as number;
    return [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];
  };

  it("are those of the colour bars", () => {
    // Full bars of ITU-R BT.601 in 8 bits.
    expect(rgb([16, 128, 128])).toEqual([0, 0, 0, 255]);
    expect(rgb([235, 128, 128])).toEqual([255, 255, 255, 255]);
    for (const [yuv, wanted] of [
      [[81, 90, 240], [255, 0, 0]],
      [[145, 54, 34], [0, 255, 0]],
      [[41, 240, 110], [0, 0, 255]],
    ] as [[number, number, number], number[]][]) {
      rgb(yuv)
        .slice(0, 3)
        .forEach((value, at) => expect(Math.abs(value - (wanted[at] as number))).toBeLessThanOrEqual(2));
    }
  });

  it("outside the range are clamped", () => {
    expect(rgb([0, 128, 128])).toEqual([0, 0, 0, 255]);
    expect(rgb([255, 128, 128])).toEqual([255, 255, 255, 255]);
  });

  it("stand mirrored row by row in the own picture", () => {
    const frame = plain(3, 2, [16, 128, 128]);
    frame.y.set([16, 126, 235], 0);
    frame.y.set([235, 126, 16], 3);
    const [straight, mirrored] = [new Uint32Array(6), new Uint32Array(6)];
    writeRgba(frame, false, straight);
    writeRgba(frame, true, mirrored);
    const row = (from: Uint32Array, at: number): number[] => [...from.slice(at * 3, at * 3 + 3)];
    expect(row(mirrored, 0)).toEqual(row(straight, 0).reverse());
    expect(row(mirrored, 1)).toEqual(row(straight, 1).reverse());
    expect(row(mirrored, 0)).not.toEqual(row(straight, 0));
  });
});

it("the planes of an odd picture have their chroma sides rounded up", () => {
  const sizes = planesOf(plain(5, 3, [0, 0, 0])).map(({ width, height, bytes }) => [width, height, bytes.length]);
  expect(sizes).toEqual([
    [5, 3, 15],
    [3, 2, 6],
    [3, 2, 6],
  ]);
});

it("software rasterisers are known by their names", () => {
  expect(isSoftwareGl("llvmpipe (LLVM 15.0.6, 256 bits)")).toBe(true);
  expect(isSoftwareGl("ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device))")).toBe(true);
  expect(isSoftwareGl("Mesa Intel(R) UHD Graphics 620")).toBe(false);
});
