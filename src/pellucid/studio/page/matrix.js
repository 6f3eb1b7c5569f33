// A confusion matrix on a canvas: a row is a true class, blue is right, orange is wrong.

import { cssColour, inkOn, isDark } from "./colours.js";
import { drawingOn, make } from "./dom.js";

const LARGEST = 40, LABEL = 130; // pixels of a cell, and of a name beside it
const NAMED = 11; // pixels of a cell from which the rows have their names

/** @typedef {{counts: ArrayLike<number>, classes: string[], support: ArrayLike<number>, shares: boolean}} Matrix */

/**
 * `move` is told which cell the cursor is on, `choose` which one is clicked or entered.
 * @param {{label: string, row: string, column: string, move: (i: number, j: number) => void,
 *   choose: (i: number, j: number) => void}} how
 */
export function matrixFigure({ label, row, column, move, choose }) {
  const canvas = make("canvas", { role: "img", "aria-label": label });
  const element = make("div", { class: "scrolled confusion", tabindex: 0, role: "group", "aria-label": label }, canvas);
  /** @type {Matrix | null} */
  let last = null;
  let [cell, left, top] = [1, 0, 0];
  let at = [0, 0];

  /** @param {number} i @param {number} j */
  const go = (i, j) => {
    const k = last?.classes.length ?? 0;
    if (i < 0 || j < 0 || i >= k || j >= k) return false;
    at = [i, j];
    draw();
    move(i, j);
    return true;
  };
  /** @param {MouseEvent} e */
  const under = (e) => {
    const box = canvas.getBoundingClientRect(), scale = box.width / parseFloat(canvas.style.width);
    return [Math.floor(((e.clientY - box.top) / scale - top) / cell), Math.floor(((e.clientX - box.left) / scale - left) / cell)];
  };
  canvas.addEventListener("mousemove", (/** @type {MouseEvent} */ e) => {
    const [i, j] = under(e);
    if (i !== at[0] || j !== at[1]) go(i, j);
  });
  canvas.addEventListener("click", (/** @type {MouseEvent} */ e) => { if (go(under(e)[0], under(e)[1])) choose(at[0], at[1]); });
  element.addEventListener("keydown", (/** @type {KeyboardEvent} */ e) => {
    const step = /** @type {Record<string, number[]>} */ ({ ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] })[e.key];
    if (step) go(at[0] + step[0], at[1] + step[1]);
    else if (e.key === "Enter" || e.key === " ") choose(at[0], at[1]);
    else return;
    e.preventDefault();
    e.stopPropagation();
  });

  /** @param {Matrix | null} [given] */
  function draw(given = last) {
    if (!given) return;
    const fresh = given !== last, { counts, classes, support, shares } = last = given, k = classes.length, dark = isDark();
    const style = getComputedStyle(element), colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const room = Math.max(element.parentElement?.clientWidth ?? 0, 260), letters = `12px ${colour("--letters")}`;
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.font = letters;
    const longest = Math.min(LABEL, Math.max(...classes.map((name) => pen.measureText(name).width)));
    cell = Math.max(4, Math.min(LARGEST, Math.floor((Math.min(room, 640) - longest - 34) / k)));
    const named = cell >= NAMED, upright = named && longest > cell - 4;
    left = 22 + (named ? longest + 8 : 0);
    top = 22 + (named ? (upright ? longest : 14) + 6 : 0);
    if (fresh) canvas.setAttribute("aria-label", label);
    const context = drawingOn(canvas, left + k * cell + 2, top + k * cell + 2);
    const write = (/** @type {string} */ words, /** @type {number} */ x, /** @type {number} */ y, /** @type {CanvasTextAlign} */ align, turned = false, most = LABEL) => {
      context.save();
      context.translate(x, y);
      if (turned) context.rotate(-Math.PI / 2);
      context.textAlign = align;
      context.textBaseline = "middle";
      context.fillText(shortened(context, words, most), 0, 0);
      context.restore();
    };
    context.font = letters;
    context.fillStyle = colour("--soft");
    write(`${column} →`, left, 9, "left", false, k * cell);
    write(`← ${row}`, 9, top + k * cell, "left", true, k * cell);
    context.fillStyle = colour("--ink");
    for (let c = 0; named && c < k; c++) {
      write(classes[c], left - 6, top + (c + 0.5) * cell, "right");
      if (upright) write(classes[c], left + (c + 0.5) * cell, top - 6, "left", true);
      else write(classes[c], left + (c + 0.5) * cell, top - 10, "center");
    }
    for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) {
      const n = counts[i * k + j], part = n / Math.max(support[i], 1), tone = Math.sqrt(part) * (i === j ? -1 : 1);
      context.fillStyle = cssColour(tone, 1, dark);
      const gap = cell > 8 ? 1 : 0;
      context.fillRect(left + j * cell, top + i * cell, cell - gap, cell - gap);
      const words = shares ? (100 * part).toFixed(part < 0.0995 ? 1 : 0) : String(n);
      if (!n || context.measureText(words).width > cell - 4 || cell < 14) continue;
      context.fillStyle = inkOn(tone, 1, dark);
      write(words, left + (j + 0.5) * cell, top + (i + 0.5) * cell + 0.5, "center");
    }
    context.strokeStyle = colour("--ink");
    context.lineWidth = 2;
    context.strokeRect(left + at[1] * cell, top + at[0] * cell, cell - 1, cell - 1);
  }
  return {
    element, draw,
    point: (/** @type {number} */ i, /** @type {number} */ j) => { at = [i, j]; draw(); },
  };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} words
 * @param {number} most   Pixels.
 */
function shortened(context, words, most) {
  let end = words.length;
  while (end > 1 && context.measureText(end < words.length ? `${words.slice(0, end)}…` : words).width > most) end--;
  return end < words.length ? `${words.slice(0, end)}…` : words;
}
