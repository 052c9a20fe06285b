// The picture as it comes over the video feed: a 24-byte little-endian header, then the planes of I420. Pure.

/** One picture. The planes are views into the message, not copies. */
export type Frame = {
  /** Pixels. */
  width: number;
  height: number;
  sequence: number;
  /** When the picture was captured, microseconds of Unix time. */
  capturedUs: bigint;
  y: Uint8Array;
  u: Uint8Array;
  v: Uint8Array;
};

/** The bytes "AHOY", read as a little-endian number. */
export const FRAME_MAGIC = 0x594f4841;
/** Bytes before the planes. */
export const HEADER_BYTES = 24;
/** Pixels on one side; more is taken for garbage (chosen: twice 4K). */
const LONGEST_SIDE = 8192;

/** Width or height of a chroma plane: half, rounded up. */
export function chromaSide(side: number): number {
  return (side + 1) >> 1;
}

/** Reads one message; `null` when it is not a whole picture. */
export function parseFrame(message: ArrayBuffer): Frame | null {
  if (message.byteLength < HEADER_BYTES) return null;
  const header = new DataView(message, 0, HEADER_BYTES);
  if (header.getUint32(0, true) !== FRAME_MAGIC) return null;
  const width = header.getUint32(4, true);
  const height = header.getUint32(8, true);
  if (width === 0 || height === 0 || width > LONGEST_SIDE || height > LONGEST_SIDE) return null;
  const luma = width * height;
  const chroma = chromaSide(width) * chromaSide(height);
  if (message.byteLength !== HEADER_BYTES + luma + 2 * chroma) return null;
  return {
    width,
    height,
    sequence: header.getUint32(12, true),
    capturedUs: header.getBigUint64(16, true),
    y: new Uint8Array(message, HEADER_BYTES, luma),
    u: new Uint8Array(message, HEADER_BYTES + luma, chroma),
    v: new Uint8Array(message, HEADER_BYTES + luma + chroma, chroma),
  };
}

/** The inverse of `parseFrame`, for scripted pictures. */
export function encodeFrame(frame: Frame): ArrayBuffer {
  const message = new ArrayBuffer(HEADER_BYTES + frame.y.length + frame.u.length + frame.v.length);
  const header = new DataView(message, 0, HEADER_BYTES);
  header.setUint32(0, FRAME_MAGIC, true);
  header.setUint32(4, frame.width, true);
  header.setUint32(8, frame.height, true);
  header.setUint32(12, frame.sequence, true);
  header.setBigUint64(16, frame.capturedUs, true);
  const planes = new Uint8Array(message, HEADER_BYTES);
  planes.set(frame.y, 0);
  planes.set(frame.u, frame.y.length);
  planes.set(frame.v, frame.y.length + frame.u.length);
  return message;
}
