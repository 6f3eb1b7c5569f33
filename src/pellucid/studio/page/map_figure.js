// One map drawn large: the padding hatched around it, windows framed, a cursor that can be moved.

import { make, drawingOn } from "./dom.js";
import { isDark, signedColours, signedImage } from "./colours.js";
import { STEPS } from "./grids.js";

/**
 * A frame around cells: rows and columns as [first, step, count], perhaps outside the map.
 * @typedef {{rows: number[], columns: number[], colour?: string}} Frame
 */

/**
 * What is drawn: numbers (h, w) in colours up to `most`, or a picture of that size.
 * @typedef {{h: number, w: number, numbers?: ArrayLike<number>, most?: number, picture?: ImageData,
 *   frames?: Frame[], cursor?: [number, number], margin?: number[], words: string, caption?: string}} Drawn
 */

/**
 * @param {{size?: number, move?: (i: number, j: number) => void, page?: (by: number) => void,
 *   hover?: (i: number, j: number) => void, label?: string}} how   `move` is told which cell was chosen.
 * @returns {{element: HTMLElement, canvas: HTMLCanvasElement, caption: HTMLElement, draw: (drawn: Drawn) => void}}
 */
export function mapFigure({ size = 280, move, page, hover, label = "" }) {
  const canvas = make("canvas"), caption = make("figcaption");
  const holder = make("div", { class: "holder", ...(move && { tabindex: 0, role: "group", "aria-label": label }) }, canvas);
  const element = make("figure", { class: "map-figure" }, holder, caption);
  /** @type {Drawn | null} */
  let last = null;
  let cell = 1;
  const EDGE = 2; // for the lines of frames

  const at = (/** @type {MouseEvent} */ e) => {
    if (!last) return null;
    const [top, , , left] = last.margin ?? [0, 0, 0, 0], box = canvas.getBoundingClientRect();
    const scale = canvas.clientWidth / parseFloat(canvas.style.width);
    const i = Math.floor(((e.clientY - box.top) / scale - EDGE) / cell) - top;
    const j = Math.floor(((e.clientX - box.left) / scale - EDGE) / cell) - left;
    return i >= 0 && j >= 0 && i < last.h && j < last.w ? [i, j] : null;
  };
  if (move) {
    canvas.classList.add("chosen-from");
    canvas.addEventListener("click", (/** @type {MouseEvent} */ e) => { const to = at(e); if (to) move(to[0], to[1]); });
    holder.addEventListener("keydown", (/** @type {KeyboardEvent} */ e) => {
      const paged = { PageUp: -1, PageDown: 1 }[e.key];
      if (paged && page) page(paged);
      const step = STEPS[e.key];
      if (step && last?.cursor) {
        const i = last.cursor[0] + step[0], j = last.cursor[1] + step[1];
        if (i >= 0 && j >= 0 && i < last.h && j < last.w) {
          last.cursor = [i, j]; // the next key may come before it is drawn
          move(i, j);
        }
      } else if (!paged) return;
      e.preventDefault();
      e.stopPropagation();
    });
  }
  if (hover) canvas.addEventListener("mousemove", (/** @type {MouseEvent} */ e) => { const to = at(e); if (to) hover(to[0], to[1]); });

  /** @param {Drawn} drawn */
  function draw(drawn) {
    last = drawn;
    const { h, w, cursor, frames = [], margin: [top, right, bottom, left] = [0, 0, 0, 0] } = drawn;
    const most = Math.max(h + top + bottom, w + left + right);
    cell = size / most >= 1 ? Math.min(Math.floor(size / most), 24) : size / most;
    const width = (w + left + right) * cell, height = (h + top + bottom) * cell, style = getComputedStyle(element);
    const context = drawingOn(canvas, width + 2 * EDGE, height + 2 * EDGE);
    context.translate(EDGE, EDGE);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    if (top + right + bottom + left) hatch(context, width, height, colour("--soft"));
    const image = drawn.picture ?? signedImage(drawn.numbers ?? [], h, w, drawn.most ?? 1, signedColours(isDark()));
    const sheet = make("canvas", { width: w, height: h });
    sheet.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = cell < 1;
    context.drawImage(sheet, left * cell, top * cell, w * cell, h * cell);
    context.strokeStyle = colour("--line");
    context.strokeRect(left * cell + 0.5, top * cell + 0.5, w * cell - 1, h * cell - 1);
    for (const frame of frames) framed(context, frame, top, left, cell, frame.colour ?? colour("--accent"), colour("--paper"));
    if (cursor) framed(context, { rows: [cursor[0], 1, 1], columns: [cursor[1], 1, 1] }, top, left, cell, colour("--ink"), colour("--paper"));
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", drawn.words);
    caption.textContent = drawn.caption ?? "";
  }
  return { element, canvas, caption, draw };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {string} colour
 */
function hatch(context, width, height, colour) {
  context.save();
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.globalAlpha = 0.5;
  context.beginPath();
  for (let x = -height; x < width; x += 6) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {number} top
 * @param {number} left
 * @param {number} cell
 * @param {string} colour
 * @param {string} paper
 */
function framed(context, { rows: [i, di, m], columns: [j, dj, n] }, top, left, cell, colour, paper) {
  /** @type {(i: number, j: number, h: number, w: number) => void} */
  const rectangle = (y, x, h, w) => {
    const [a, b, c, d] = [(x + left) * cell, (y + top) * cell, w * cell, h * cell];
    for (const [ink, width] of /** @type {[string, number][]} */ ([[paper, 4], [colour, 2]])) {
      context.strokeStyle = ink;
      context.lineWidth = width;
      context.strokeRect(a, b, c, d);
    }
  };
  if (cell >= 6 && (di > 1 || dj > 1) && m * n <= 400) {
    for (let u = 0; u < m; u++) for (let v = 0; v < n; v++) rectangle(i + di * u, j + dj * v, 1, 1);
    context.setLineDash([4, 3]);
  }
  rectangle(i, j, di * (m - 1) + 1, dj * (n - 1) + 1);
  context.setLineDash([]);
}
