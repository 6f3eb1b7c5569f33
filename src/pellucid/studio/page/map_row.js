// One row of a sheet of maps, painted on one canvas.

import { make, drawingOn } from "./dom.js";
import { cssColour, isDark, signedColours, signedImage } from "./colours.js";
import { mostOf } from "./grids.js";
import { laidOut } from "./layout.js";
import { figure } from "./text.js";

export const GAP = 8, LETTERS = 15;
const BARS = 84; // height of the bars of numbers
const FEW = 32; // numbers that are written below their bars

/**
 * `tile`: how long a map's longer side is in CSS pixels; `own`: each map on its own scale; `under`: the
 * image, drawn under each map; `unit`: the chosen one.
 * @typedef {{value: import("./types.js").Value, tile: number, own: boolean,
 *   under: HTMLCanvasElement | null, unit: number[] | null}} Shown
 * @typedef {ReturnType<typeof arranged>} Arranged
 * @typedef {{numbers: import("./types.js").Numbers, most: number}} Channel
 * @typedef {{c: number, i: number, j: number, inside: boolean}} Cursor
 */

/**
 * Arranges the maps of a value in rows of a width.
 * @param {Shown} shown
 * @param {number} width
 */
export function arranged(shown, width) {
  const lay = laidOut(shown.value.shape), { h, w, row } = lay, cell = shown.tile / Math.max(h, w), gap = row ? 0 : GAP;
  const bar = lay.channels <= FEW ? 64 : 14, wide = row ? bar : Math.max(1, Math.round(w * cell)), high = row ? BARS : Math.max(1, Math.round(h * cell));
  return { shown, lay, wide, high, step: wide + gap, columns: Math.max(1, Math.floor((width + gap) / (wide + gap))) };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Arranged} row
 * @param {number} first   The first channel of the row.
 * @param {(Channel | undefined)[]} channels
 * @param {Cursor | null} cursor   Null while the sheet is not focused.
 */
export function paintRow(canvas, { shown, lay, wide, high, step }, first, channels, cursor) {
  const style = getComputedStyle(canvas), context = drawingOn(canvas, channels.length * step, high + LETTERS);
  const ink = (/** @type {string} */ name) => style.getPropertyValue(name).trim(), table = signedColours(isDark());
  const unit = shown.unit && !lay.row ? lay.place(shown.unit) : null;
  context.font = `11px ${ink("--numbers")}`;
  context.lineWidth = 2;
  context.imageSmoothingEnabled = wide < lay.w; // a number is a square, as large as it is drawn
  channels.forEach((channel, k) => {
    if (!channel) return;
    const c = first + k, x = k * step, here = cursor?.c === c;
    if (lay.row) paintBar(context, channel, x, wide, ink("--edge"));
    else context.drawImage(mapImage(channel, shown, lay, table), x, 0, wide, high);
    context.fillStyle = ink(here ? "--ink" : "--soft");
    const written = lay.row && lay.channels <= FEW;
    if (written) context.fillText(`${c}: ${figure(channel.numbers[0])}`, x, high + 12, wide - 4);
    else if (!lay.row || c % 5 === 0 || here) context.fillText(String(c), x, high + 12);
    context.strokeStyle = ink("--accent");
    const around = (/** @type {number} */ i, /** @type {number} */ j) =>
      context.strokeRect(x + j * wide / lay.w - 1, i * high / lay.h - 1, wide / lay.w + 2, high / lay.h + 2);
    if (here) context.strokeRect(x + 1, 1, wide - 2, high - 2);
    if (here && cursor?.inside) around(cursor.i, cursor.j);
    context.strokeStyle = ink("--ink");
    if (unit?.[0] === c) around(unit[1], unit[2]);
  });
}

/**
 * @param {Channel} channel
 * @param {Shown} shown
 * @param {import("./layout.js").Layout} lay
 * @param {Uint32Array} table
 */
function mapImage({ numbers, most: all }, { own, under }, { h, w }, table) {
  const most = own ? mostOf(numbers) : all, image = signedImage(numbers, h, w, most, table);
  const map = make("canvas", { width: w, height: h });
  if (!under) {
    map.getContext("2d").putImageData(image, 0, 0);
    return map;
  }
  // The image shows through where the numbers are small.
  for (let k = 0; k < h * w; k++) image.data[4 * k + 3] = Math.min(255, 340 * Math.abs(numbers[k]) / (most || 1));
  map.getContext("2d").putImageData(image, 0, 0);
  const both = make("canvas", { width: under.width, height: under.height }), context = both.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(under, 0, 0);
  context.drawImage(map, 0, 0, both.width, both.height);
  return both;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Channel} channel
 * @param {number} x
 * @param {number} wide
 * @param {string} line
 */
function paintBar(context, { numbers: [number], most }, x, wide, line) {
  const middle = BARS / 2, tall = most > 0 ? (middle - 2) * number / most : 0;
  context.fillStyle = cssColour(Math.sign(number) * 0.6, 1);
  context.fillRect(x + 2, middle - Math.max(tall, 0), wide - 4, Math.abs(tall));
  context.fillStyle = line;
  context.fillRect(x, middle, wide, 1);
}
