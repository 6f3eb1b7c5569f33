// Lines that were drawn: polylines simple and short enough for an address.

import { within } from "./dom.js";

/**
 * Points are pixels of the sheet, 0 to 255 along its longer side; `width` is in the same unit.
 * @typedef {{width: number, colour: string, points: number[][]}} Stroke
 */

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const MOST = 2000; // letters of one drawing
const FAR = 31; // the furthest step between two points in one letter each

/**
 * Leaves out points that lie within `tolerance` of the line without them (Douglas and Peucker 1973).
 * @param {number[][]} points
 * @param {number} tolerance
 * @returns {number[][]}
 */
export function simplified(points, tolerance) {
  if (points.length < 3) return points;
  const [x0, y0] = points[0], [x1, y1] = points[points.length - 1], long = Math.hypot(x1 - x0, y1 - y0);
  let worst = 0, at = 0;
  for (let k = 1; k < points.length - 1; k++) {
    const [x, y] = points[k];
    const area = Math.abs((x1 - x0) * (y0 - y) - (x0 - x) * (y1 - y0));
    const away = long ? area / long : Math.hypot(x - x0, y - y0);
    if (away > worst) [worst, at] = [away, k];
  }
  if (worst <= tolerance) return [points[0], points[points.length - 1]];
  const before = simplified(points.slice(0, at + 1), tolerance);
  return [...before.slice(0, -1), ...simplified(points.slice(at), tolerance)];
}

/**
 * Returns a stroke on the grid that `written` can write, without the points that are not needed.
 * @param {Stroke} stroke
 * @param {number} tolerance
 * @returns {Stroke}
 */
function settled({ width, colour, points }, tolerance) {
  const whole = points.map((point) => point.map((x) => within(Math.round(x), 0, 255)));
  return { width: within(Math.round(width), 1, 63), colour, points: simplified(whole, tolerance) };
}

/**
 * Writes strokes in letters that an address holds as they are: the width, `*` and the colour unless
 * it is black, the first point, and the steps from each point to the next. Strokes are divided by
 * dots. A drawing that would be longer than 2,000 letters loses detail.
 * @param {Stroke[]} strokes
 * @returns {string}
 */
export function written(strokes) {
  for (let tolerance = 0.6; ; tolerance *= 2) {
    const text = strokes.map((stroke) => line(settled(stroke, tolerance))).join(".");
    if (text.length <= MOST) return text;
    if (tolerance > 100) return text.slice(0, MOST).replace(/\.[^.]*$/, ""); // hundreds of strokes
  }
}

/** @param {Stroke} stroke */
function line({ width, colour, points }) {
  let text = LETTERS[width];
  if (colour !== "#000000") text += `*${colour.slice(1)}`;
  let [x, y] = points[0];
  text += LETTERS[x >> 6] + LETTERS[x & 63] + LETTERS[y >> 6] + LETTERS[y & 63];
  for (const [u, v] of points.slice(1)) {
    const steps = Math.max(1, Math.ceil(Math.max(Math.abs(u - x), Math.abs(v - y)) / FAR)), from = [x, y];
    for (let k = 1; k <= steps; k++) {
      const next = [u, v].map((to, axis) => Math.round(from[axis] + ((to - from[axis]) * k) / steps));
      text += LETTERS[next[0] - x + FAR] + LETTERS[next[1] - y + FAR];
      [x, y] = next;
    }
  }
  return text;
}

/**
 * Reads what `written` wrote; anything else is read as far as it goes.
 * @param {string} text
 * @returns {Stroke[]}
 */
export function read(text) {
  const strokes = [];
  for (const each of text.slice(0, MOST).split(".")) {
    const found = /^([\w-])(?:\*([0-9a-f]{6}))?([\w-]{4,})$/.exec(each);
    if (!found) continue;
    const [a, b, c, d, ...steps] = [...found[3]].map((letter) => LETTERS.indexOf(letter));
    const points = [[a * 64 + b, c * 64 + d]];
    for (let k = 0; k + 1 < steps.length; k += 2) {
      const [x, y] = points[points.length - 1];
      points.push([x + steps[k] - FAR, y + steps[k + 1] - FAR]);
    }
    strokes.push({ width: LETTERS.indexOf(found[1]), colour: `#${found[2] ?? "000000"}`, points });
  }
  return strokes;
}
