import { decodeView } from '../view/view-data.js';
import { pointSize, sourceColor, viewColumns } from '../view/view-points.js';
import { fillLegend, showCard } from './panels.js';
import { pickPoint, projectPoint } from './point-geometry.js';
import { pointScene } from './scene.js';

const byId = (id: string) => document.getElementById(id)!;
const canvas = byId('points') as HTMLCanvasElement;
const panel = byId('panel');
const card = byId('card');
const ring = byId('ring');

const view = decodeView(byId('view').textContent!);
const { source, density, prompt } = viewColumns(view);
const count = view.ids.length;
const coordinates = new Float32Array(3 * count);
const sizes = new Float32Array(count);
const colors = new Float32Array(3 * count);
const perSource = source.labels.map(() => 0);
const channels = source.labels.map((_, code) =>
  [1, 3, 5].map((start) => Number.parseInt(sourceColor(code).slice(start, start + 2), 16) / 255),
);
for (let i = 0; i < count; i++) {
  coordinates.set(view.layout.data.subarray(i * view.layout.cols, (i + 1) * view.layout.cols), 3 * i);
  sizes[i] = pointSize(density.values[i]!);
  colors.set(channels[source.codes[i]!]!, 3 * i);
  perSource[source.codes[i]!]!++;
}

const visible = new Uint8Array(count).fill(1);
let redraw = () => {};
const showCount = () => {
  const shown = visible.reduce((sum, value) => sum + value, 0).toLocaleString('en');
  const all = `${count.toLocaleString('en')} ${count === 1 ? 'prompt' : 'prompts'}`;
  byId('count').textContent = shown === count.toLocaleString('en') ? all : `${shown} of ${all}`;
};
fillLegend(
  byId('legend'),
  source.labels.map((label, code) => ({ label, count: perSource[code]! })),
  (shown) => {
    for (let i = 0; i < count; i++) visible[i] = shown[source.codes[i]!] ? 1 : 0;
    showCount();
    redraw();
  },
);
showCount();

const context = canvas.getContext('webgl2', { alpha: true, antialias: true });
if (context) start(context);
else byId('notice').hidden = false;

function start(webgl: WebGL2RenderingContext): void {
  const scene = pointScene(canvas, webgl, { coordinates, sizes, colors });
  let hovered = -1;

  const hover = (point: number, x: number, y: number) => {
    hovered = point;
    canvas.classList.toggle('over', point >= 0);
    card.hidden = ring.hidden = point < 0;
    if (point < 0) return;
    showCard(
      card,
      {
        color: sourceColor(source.codes[point]!),
        source: source.labels[source.codes[point]!]!,
        prompt: prompt.values[point]!,
        id: view.ids[point]!,
        density: density.values[point]!,
      },
      x,
      y,
    );
    moveRing();
  };
  const moveRing = () => {
    const camera = scene.camera();
    const seen = hovered < 0 ? undefined : projectPoint(coordinates, hovered, camera);
    if (!seen) return;
    const width = Math.max(10, (camera.unit * sizes[hovered]!) / seen.distance + 6);
    ring.style.width = ring.style.height = `${width}px`;
    ring.style.transform = `translate(${seen.x - width / 2}px, ${seen.y - width / 2}px)`;
  };
  const pick = ({ clientX, clientY, buttons, type }: PointerEvent) => {
    const isDragged = type === 'pointermove' && buttons !== 0;
    hover(isDragged ? -1 : pickPoint(coordinates, sizes, visible, scene.camera(), clientX, clientY), clientX, clientY);
  };
  canvas.addEventListener('pointermove', pick);
  canvas.addEventListener('pointerdown', pick); // a touch has no hover
  canvas.addEventListener('pointerleave', () => hover(-1, 0, 0));
  canvas.addEventListener('wheel', () => hover(-1, 0, 0), { passive: true });

  const resize = () => {
    const { right, top, width } = panel.getBoundingClientRect();
    const isBelow = width > innerWidth / 2; // in a narrow window the panel is at the bottom
    const covered = isBelow ? { left: 0, bottom: innerHeight - top } : { left: right, bottom: 0 };
    scene.resize({ width: innerWidth, height: innerHeight, ...covered });
  };
  const theme = () => {
    const style = getComputedStyle(document.documentElement);
    scene.setTheme(style.getPropertyValue('--ground').trim(), style.getPropertyValue('--frame').trim());
  };
  scene.onFrame = moveRing;
  redraw = () => {
    hover(-1, 0, 0);
    scene.setVisible(visible);
  };
  addEventListener('resize', resize);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', theme);
  theme();
  resize();
  redraw();
}
