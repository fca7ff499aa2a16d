import {
  BoxGeometry,
  BufferAttribute,
  BufferGeometry,
  Color,
  EdgesGeometry,
  LineBasicMaterial,
  LineSegments,
  Matrix4,
  PerspectiveCamera,
  Points,
  Scene,
  ShaderMaterial,
  WebGLRenderer,
} from 'three';
import { OrbitControls } from 'three/addons/controls/OrbitControls.js';
import { type Camera, depthOrder } from './point-geometry.js';

interface ScenePoints {
  /** x, y, z of each point in [-1, 1]. */
  readonly coordinates: Float32Array;
  readonly sizes: Float32Array;
  /** Red, green and blue of each point in sRGB, in [0, 1]. */
  readonly colors: Float32Array;
}

interface PointScene {
  /** Fits the canvas to the window, of which the panel covers `left` and `bottom`; in CSS pixels. */
  resize(window: { width: number; height: number; left: number; bottom: number }): void;
  /** Colors of the background and of the frame around the points. */
  setTheme(ground: string, frame: string): void;
  /** 1 for points to draw, 0 for hidden points. */
  setVisible(visible: Uint8Array): void;
  /** The camera of the last frame. */
  camera(): Camera;
  /** Called after each frame. */
  onFrame: () => void;
}

/**
 * Draws discs that face the viewer: larger if nearer, paler towards the back, with a rim in the background color to separate them.
 */
const vertexShader = /* glsl */ `
  uniform float unit;     // diameter of size 1 at distance 1, in device pixels
  uniform float nearest;  // distances between which points fade
  uniform float farthest;
  attribute float size;
  attribute vec3 color;
  varying vec3 tint;
  varying float depth;    // 0 at the front, 1 at the back
  varying float diameter;

  void main() {
    vec4 seen = modelViewMatrix * vec4(position, 1.0);
    gl_Position = projectionMatrix * seen;
    diameter = max(unit * size / -seen.z, 1.5);
    gl_PointSize = diameter;
    depth = clamp((-seen.z - nearest) / (farthest - nearest), 0.0, 1.0);
    tint = color;
  }
`;

const fragmentShader = /* glsl */ `
  uniform vec3 ground;
  uniform float opacity;
  varying vec3 tint;
  varying float depth;
  varying float diameter;

  void main() {
    float radius = 2.0 * length(gl_PointCoord - 0.5);
    float pixel = 2.0 / diameter;
    float disc = 1.0 - smoothstep(1.0 - 1.5 * pixel, 1.0, radius);
    if (disc <= 0.0) discard;
    float rim = smoothstep(0.78, 0.92, radius) * smoothstep(4.0, 9.0, diameter);
    vec3 lit = tint * (1.08 - 0.22 * radius * radius);
    vec3 faded = mix(lit, ground, 0.4 * depth);
    gl_FragColor = vec4(mix(faded, ground, 0.75 * rim), disc * opacity * (1.0 - 0.2 * depth));
  }
`;

/** Start of the camera: its distance from the center of the frame, and the angle that the frame fills, in radians. */
const distance = 6;
const angle = 0.62;

/** Draws the points on a canvas with WebGL 2, only when something has changed. */
export function pointScene(
  canvas: HTMLCanvasElement,
  context: WebGL2RenderingContext,
  points: ScenePoints,
): PointScene {
  const count = points.sizes.length;
  const renderer = new WebGLRenderer({ canvas, context, alpha: true, antialias: true });
  const order = new BufferAttribute(new Uint32Array(count), 1);
  const geometry = new BufferGeometry()
    .setAttribute('position', new BufferAttribute(points.coordinates, 3))
    .setAttribute('size', new BufferAttribute(points.sizes, 1))
    .setAttribute('color', new BufferAttribute(points.colors, 3))
    .setIndex(order);
  const uniforms = {
    unit: { value: 1 },
    nearest: { value: 1 },
    farthest: { value: 10 },
    opacity: { value: Math.min(0.92, Math.max(0.6, 0.92 - 0.13 * Math.log10(count / 1000))) },
    ground: { value: new Color() },
  };
  const material = new ShaderMaterial({ vertexShader, fragmentShader, uniforms, transparent: true, depthTest: false });
  const cloud = new Points(geometry, material);
  cloud.frustumCulled = false;
  const frame = new LineSegments(new EdgesGeometry(new BoxGeometry(2.1, 2.1, 2.1)), new LineBasicMaterial());
  frame.renderOrder = -1;
  const scene = new Scene().add(frame, cloud);

  const view = new PerspectiveCamera(45, 1, 0.01, 100);
  view.position.set(0.5, 0.38, 0.78).setLength(distance);
  const controls = new OrbitControls(view, canvas);
  Object.assign(controls, { enableDamping: true, dampingFactor: 0.12, minDistance: 0.2, maxDistance: 20 });

  // 4,500 points are about 4 to 9 pixels wide in a window 800 pixels high; more points are smaller.
  const diameter = Math.min(9, Math.max(1.3, 56 / Math.cbrt(count))) / 800;
  const unit = () => (diameter * distance * Math.tan(angle / 2) * height) / Math.tan((view.fov * Math.PI) / 360);
  let visible: Uint8Array = new Uint8Array(count);
  let [width, height] = [1, 1];
  let isRequested = false;

  const draw = () => {
    isRequested = false;
    if (controls.update()) requestDraw(); // still moving
    view.updateMatrixWorld();
    const { elements } = view.matrixWorldInverse;
    const drawn = depthOrder(
      points.coordinates,
      visible,
      { x: -elements[2]!, y: -elements[6]!, z: -elements[10]! },
      order.array as Uint32Array,
    );
    order.needsUpdate = true;
    geometry.setDrawRange(0, drawn);
    const away = view.position.distanceTo(controls.target);
    uniforms.nearest.value = Math.max(0.1, away - 1.6);
    uniforms.farthest.value = away + 1.6;
    uniforms.unit.value = unit() * renderer.getPixelRatio();
    renderer.render(scene, view);
    result.onFrame();
  };
  const requestDraw = () => {
    if (!isRequested) requestAnimationFrame(draw);
    isRequested = true;
  };
  controls.addEventListener('change', requestDraw);

  const result: PointScene = {
    resize(window) {
      ({ width, height } = window);
      renderer.setPixelRatio(Math.min(2, devicePixelRatio));
      renderer.setSize(width, height, false);
      view.aspect = width / height;
      // The frame fills the part of the window that the panel leaves free.
      const free = Math.max(0.2, Math.min(1, (width - window.left) / height, 1 - window.bottom / height));
      view.fov = (Math.atan(Math.tan(angle / 2) / free) * 360) / Math.PI;
      view.setViewOffset(width, height, -window.left / 2, window.bottom / 2, width, height);
      requestDraw();
    },
    setTheme(ground, line) {
      uniforms.ground.value.setStyle(ground, 'srgb-linear'); // the shader outputs colors without conversion
      (frame.material as LineBasicMaterial).color.set(line);
      requestDraw();
    },
    setVisible(shown) {
      visible = shown;
      requestDraw();
    },
    camera: () => ({
      matrix: new Matrix4().multiplyMatrices(view.projectionMatrix, view.matrixWorldInverse).elements,
      width,
      height,
      unit: unit(),
    }),
    onFrame() {},
  };
  return result;
}
