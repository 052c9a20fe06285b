// The WebGL way to draw I420: three one-byte textures and a shader that turns them into RGB.
import { fitCanvas } from "./fit";
import { chromaSide, type Frame } from "./frame";
import type { Renderer } from "./renderer";

const VERTEX = `
attribute vec2 corner;
uniform float side;
varying vec2 at;
void main() {
  at = vec2(corner.x * side * 0.5 + 0.5, 0.5 - corner.y * 0.5);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

// BT.601, limited range, as in colour.ts.
const FRAGMENT = `
precision mediump float;
varying vec2 at;
uniform sampler2D plane0;
uniform sampler2D plane1;
uniform sampler2D plane2;
void main() {
  float y = (texture2D(plane0, at).r - 0.0627451) * 1.164384;
  float u = texture2D(plane1, at).r - 0.5019608;
  float v = texture2D(plane2, at).r - 0.5019608;
  gl_FragColor = vec4(y + 1.596027 * v, y - 0.391762 * u - 0.812968 * v, y + 2.017232 * u, 1.0);
}`;

/** A renderer on WebGL 1, `null` when the canvas gives no context or the shader does not build. */
export function webglRenderer(canvas: HTMLCanvasElement, mirror: boolean): Renderer | null {
  const gl = canvas.getContext("webgl", { alpha: false, antialias: false, depth: false });
  if (gl === null) return null;
  let sizes = setUp(gl, mirror);
  if (sizes === null) return null;
  // A lost context comes back empty (driver reset, sleep): everything is made anew.
  const lost = (event: Event): void => {
    event.preventDefault();
    sizes = null;
  };
  const restored = (): void => {
    sizes = setUp(gl, mirror);
  };
  canvas.addEventListener("webglcontextlost", lost);
  canvas.addEventListener("webglcontextrestored", restored);
  return {
    kind: "webgl",
    draw(frame: Frame) {
      if (sizes === null) return;
      if (fitCanvas(canvas, frame)) gl.viewport(0, 0, frame.width, frame.height);
      upload(gl, frame, sizes);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    },
    dispose() {
      canvas.removeEventListener("webglcontextlost", lost);
      canvas.removeEventListener("webglcontextrestored", restored);
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

/** The size each texture has, so that a picture of the same size is written over the last. */
type TextureSizes = { width: number; height: number }[];

function setUp(gl: WebGLRenderingContext, mirror: boolean): TextureSizes | null {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind);
    if (shader === null) return null;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (gl.getProgramParameter(program, gl.LINK_STATUS) !== true) return null;
  gl.useProgram(program);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
  const corner = gl.getAttribLocation(program, "corner");
  gl.enableVertexAttribArray(corner);
  gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
  gl.uniform1f(gl.getUniformLocation(program, "side"), mirror ? -1 : 1);
  // Rows of a plane follow each other without padding.
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  return [0, 1, 2].map((unit) => {
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    // Without these a texture whose sides are no powers of two stays black in WebGL 1.
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
    gl.uniform1i(gl.getUniformLocation(program, `plane${unit}`), unit);
    return { width: 0, height: 0 };
  });
}

function upload(gl: WebGLRenderingContext, frame: Frame, sizes: TextureSizes): void {
  planesOf(frame).forEach(({ bytes, width, height }, unit) => {
    const size = sizes[unit];
    if (size === undefined) return;
    gl.activeTexture(gl.TEXTURE0 + unit);
    if (size.width === width && size.height === height) {
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, gl.LUMINANCE, gl.UNSIGNED_BYTE, bytes);
    } else {
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.LUMINANCE, width, height, 0, gl.LUMINANCE, gl.UNSIGNED_BYTE, bytes);
      sizes[unit] = { width, height };
    }
  });
}

/** The three planes of a picture with their sizes, in the order of the shader's textures. */
export function planesOf(frame: Frame): { bytes: Uint8Array; width: number; height: number }[] {
  const width = chromaSide(frame.width);
  const height = chromaSide(frame.height);
  return [
    { bytes: frame.y, width: frame.width, height: frame.height },
    { bytes: frame.u, width, height },
    { bytes: frame.v, width, height },
  ];
}
