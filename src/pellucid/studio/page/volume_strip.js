// The values of a network in a row, as boxes: the higher, the more rows; the wider, the more channels.

import { svg } from "./dom.js";

const TALLEST = 96, GAP = 20, BASE = 118;

/**
 * @param {{path: string, shape: number[]}[]} values   The image first.
 * @param {string} words   For those who listen.
 * @returns {SVGElement}
 */
export function volumeStrip(values, words) {
  const most = (/** @type {boolean} */ image) => Math.max(1, ...values.filter(({ shape }) => shape.length > 1 === image).flatMap(({ shape }) => shape.slice(image ? 1 : 0)));
  const [side, row] = [most(true), most(false)];
  const size = (/** @type {number} */ n, most = side) => 8 + ((TALLEST - 8) * Math.log2(n + 1)) / Math.log2(most + 1);
  const drawing = svg("svg", { role: "img", "aria-label": words, class: "strip" });
  let x = 10;
  for (const { path, shape } of values) {
    const image = shape.length > 1, h = image ? size(shape[1]) : size(shape[0], row), slant = image ? size(shape[2] ?? 1) * 0.3 : 5;
    const w = image ? 4 + 5 * Math.log2(shape[0] + 1) : 6, top = BASE - h, label = `${shape.join("×")}`;
    const width = Math.max(w + slant, 7 * Math.max(label.length, Math.min(path.length, 8)));
    const left = x + (width - w - slant) / 2;
    const face = (/** @type {string} */ name, /** @type {number[]} */ ...at) => svg("polygon", { class: name, points: at.join(" ") });
    drawing.append(svg("g", {}, svg("title", { text: `${path} ${label}` }),
      face("front", left, top, left + w, top, left + w, BASE, left, BASE),
      face("top", left, top, left + slant, top - slant * 0.6, left + w + slant, top - slant * 0.6, left + w, top),
      face("side", left + w, top, left + w + slant, top - slant * 0.6, left + w + slant, BASE - slant * 0.6, left + w, BASE),
      svg("text", { x: x + width / 2, y: BASE + 15, text: label }), svg("text", { x: x + width / 2, y: BASE + 30, class: "soft", text: path.slice(0, 9) })));
    x += width + GAP;
  }
  const height = BASE + 36;
  drawing.setAttribute("viewBox", `0 0 ${x} ${height}`);
  drawing.setAttribute("width", String(x));
  drawing.setAttribute("height", String(height));
  return drawing;
}
