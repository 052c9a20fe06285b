// The size of a canvas follows the size of its pictures.
import type { Frame } from "./frame";

/** Gives the canvas the size of the picture; changing it clears the canvas, so only when needed. */
export function fitCanvas(canvas: HTMLCanvasElement, frame: Frame): boolean {
  if (canvas.width === frame.width && canvas.height === frame.height) return false;
  canvas.width = frame.width;
  canvas.height = frame.height;
  return true;
}
