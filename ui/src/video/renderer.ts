// Draws I420 pictures into one canvas. The canvas takes the size of the picture; the style sheet fits it into its box
// without cropping. Knows no socket and no clock.
import { writeRgba } from "./colour";
import { fitCanvas } from "./fit";
import type { Frame } from "./frame";
import { webglRenderer } from "./webgl";

/** Draws pictures until it is disposed. */
export interface Renderer {
  readonly kind: "webgl" | "2d";
  draw(frame: Frame): void;
  dispose(): void;
}

/** Chooses the cheaper way for this machine: WebGL on a graphics card, plain pixels where GL runs in software. */
export function createRenderer(canvas: HTMLCanvasElement, mirror: boolean): Renderer {
  if (hardwareGl()) {
    const gl = webglRenderer(canvas, mirror);
    if (gl !== null) return gl;
  }
  return pixelRenderer(canvas, mirror);
}

/** Whether the name that a GL driver gives itself is that of a software rasteriser. */
export function isSoftwareGl(name: string): boolean {
  return /llvmpipe|softpipe|swrast|swiftshader|software|lavapipe|basic render/i.test(name);
}

let hardware: boolean | null = null;

/** Asks a throw-away canvas once: a canvas that has a GL context can give no other. */
function hardwareGl(): boolean {
  if (hardware !== null) return hardware;
  hardware = false;
  const gl = document.createElement("canvas").getContext("webgl", { failIfMajorPerformanceCaveat: true });
  if (gl !== null) {
    const names = gl.getExtension("WEBGL_debug_renderer_info");
    const name = String(gl.getParameter(names === null ? gl.RENDERER : names.UNMASKED_RENDERER_WEBGL));
    hardware = !isSoftwareGl(name);
    gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
  return hardware;
}

function pixelRenderer(canvas: HTMLCanvasElement, mirror: boolean): Renderer {
  const context = canvas.getContext("2d", { alpha: false });
  let image: ImageData | null = null;
  let pixels = new Uint32Array(0);
  return {
    kind: "2d",
    draw(frame) {
      if (context === null) return;
      if (fitCanvas(canvas, frame) || image === null) {
        image = context.createImageData(frame.width, frame.height);
        pixels = new Uint32Array(image.data.buffer);
      }
      writeRgba(frame, mirror, pixels);
      context.putImageData(image, 0, 0);
    },
    dispose() {
      image = null;
    },
  };
}
