// A sheet to draw on, with a mouse, a finger, a pen, or keys.

import { make, within } from "./dom.js";
import { read, written } from "./strokes.js";

const SENT = 128; // pixels of its longer side in which a drawing is looked for
const LONG = 256; // pixels of its longer side: those that strokes are counted in
/** @type {Record<string, number[]>} */
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @typedef {import("./strokes.js").Stroke} Stroke */
/** @typedef {{width: number, height: number, source: CanvasImageSource}} Picture */

/**
 * Makes a sheet of the form of the network's images.
 * @param {import("./types.js").Studio} studio
 * @param {{moved: () => void, done: () => void}} heard   Called while a line is drawn, and after
 *   each change: a line, undo, clear.
 */
export function sheetFor(studio, { moved, done }) {
  const { text, network: { preparation: { size: [H, W], channels, drawing: sought } } } = studio;
  const colours = channels === 3;
  const [width, height] = [W, H].map((side) => Math.round((LONG * side) / Math.max(H, W)));
  const canvas = make("canvas", { width, height, role: "img", "aria-label": text("image.sheet") });
  /** @type {CanvasRenderingContext2D} */
  const paper = canvas.getContext("2d", { willReadFrequently: true });
  const copy = make("canvas"), sent = copy.getContext("2d", { willReadFrequently: true });
  const hint = make("p", { class: "hint", text: text("image.hint") });
  const cross = make("span", { class: "cross", hidden: true });
  const drawing = make("div", {
    class: "drawing", tabindex: 0, role: "application", "aria-label": text("image.sheet_keys"),
  }, canvas, hint, cross);
  const named = (/** @type {string} */ words) => ({ "aria-label": words, title: words });
  const usual = Math.round(6 + 60 / Math.min(H, W)); // as wide as the lines of such images
  const brush = make("input", { type: "range", min: 1, max: 20, value: usual, ...named(text("image.brush")) });
  const ink = make("input", { type: "color", value: "#000000", ...named(text("image.ink")) });
  const undo = make("button", { type: "button", text: text("image.undo"), onclick: back });
  const clear = make("button", { type: "button", text: text("image.clear"), onclick: wipe });
  const tools = make("div", { class: "tools" }, undo, clear, brush, colours && ink);

  /** @type {Stroke[]} */
  let strokes = [];
  /** @type {Picture | null} */
  let picture = null;
  /** @type {Stroke | null} The one that is being drawn. */
  let pen = null;
  let finger = 0; // the pointer that draws it: a second finger, or the hand beside a pen, does not
  /** @type {number[] | null} Where the keys are. */
  let cursor = null;
  const blank = () => !picture && !strokes.length;

  /** @param {Stroke} stroke */
  function draw({ width: wide, colour, points }, from = 0) {
    Object.assign(paper, { lineWidth: wide, strokeStyle: colour, lineCap: "round", lineJoin: "round" });
    paper.beginPath();
    points.slice(from).forEach(([x, y], k) => (k ? paper.lineTo(x, y) : paper.moveTo(x, y)));
    if (points.length === 1) paper.lineTo(points[0][0] + 0.01, points[0][1]);
    paper.stroke();
  }

  function redraw() {
    paper.fillStyle = "#fff";
    paper.fillRect(0, 0, width, height);
    if (picture) {
      const scale = Math.min(width / picture.width, height / picture.height);
      const w = picture.width * scale, h = picture.height * scale;
      paper.imageSmoothingEnabled = scale < 1;
      paper.drawImage(picture.source, (width - w) / 2, (height - h) / 2, w, h);
    }
    for (const stroke of strokes) draw(stroke);
    hint.hidden = !blank();
    undo.disabled = clear.disabled = blank();
  }

  /** @param {number[]} point */
  function begin(point) {
    picture = null;
    const wide = (Number(brush.value) * LONG) / 100;
    pen = { width: wide, colour: colours ? ink.value : "#000000", points: [point] };
    strokes.push(pen);
    redraw();
    moved();
  }

  /** @param {number[][]} points */
  function extend(points) {
    if (!pen) return;
    const before = pen.points.length;
    pen.points.push(...points);
    draw(pen, before - 1);
    moved();
  }

  function lift() {
    if (!pen) return;
    strokes.splice(-1, 1, ...read(written([pen]))); // what the address says is what is seen
    pen = null;
    redraw();
    done();
  }

  function back() {
    if (picture) picture = null;
    else strokes.pop();
    pen = null;
    redraw();
    done();
  }

  function wipe() {
    strokes = [];
    picture = pen = null;
    redraw();
    done();
  }

  // With a pointer.
  const place = (/** @type {PointerEvent} */ event) => {
    const box = canvas.getBoundingClientRect(), scale = width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  drawing.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (event.button || pen) return;
    drawing.setPointerCapture(finger = event.pointerId);
    point(null);
    begin(place(event));
  });
  drawing.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!pen || cursor || event.pointerId !== finger) return;
    const all = event.getCoalescedEvents?.() ?? [];
    extend((all.length ? all : [event]).map(place));
  });
  for (const end of ["pointerup", "pointercancel"])
    drawing.addEventListener(end, (/** @type {PointerEvent} */ event) => {
      if (!cursor && event.pointerId === finger) lift();
    });

  // With keys: arrows move a cross, Space puts the pen down and lifts it.
  /** @param {number[] | null} to */
  function point(to) {
    cursor = to;
    cross.hidden = !to;
    if (!to) return;
    cross.style.left = `${(100 * to[0]) / width}%`;
    cross.style.top = `${(100 * to[1]) / height}%`;
  }
  drawing.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 2 : 8, by = KEYS[event.key];
    if (!by && event.key !== " ") return;
    event.preventDefault();
    if (!cursor) point([width / 2, height / 2]);
    const at = /** @type {number[]} */ (cursor);
    if (by) {
      point([within(at[0] + step * by[0], 0, width - 1), within(at[1] + step * by[1], 0, height - 1)]);
      extend([/** @type {number[]} */ (cursor)]);
    } else if (pen) lift();
    else begin(at);
  });
  drawing.addEventListener("blur", () => {
    if (cursor) lift();
    point(null);
  });

  redraw();

  return {
    element: make("div", { class: "sheet-part" }, drawing, tools), drawing, tools, blank, back,
    strokes: () => strokes,
    picture: () => picture,
    /** @returns {import("./types.js").NDArray} (H, W, 4), smaller where drawings are looked for */
    pixels: () => {
      const [w, h] = [width, height].map((side) => Math.round(sought ? (side * SENT) / LONG : side));
      Object.assign(copy, { width: w, height: h });
      sent.imageSmoothingQuality = "high";
      sent.drawImage(canvas, 0, 0, w, h);
      return { shape: [h, w, 4], data: new Uint8Array(sent.getImageData(0, 0, w, h).data.buffer) };
    },
    /** Shows strokes, or a picture, in place of what was there. */
    show: (/** @type {{strokes?: Stroke[], picture?: Picture | null}} */ what) => {
      strokes = what.strokes ?? [];
      picture = what.picture ?? null;
      pen = null;
      redraw();
    },
  };
}
