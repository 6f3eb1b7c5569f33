// A unit as a row of im2col's matrix times a column of the weights.

import { make, svg } from "./dom.js";
import { counted } from "./text.js";

/** The length of a side in the picture: it grows with the logarithm. */
const side = (/** @type {number} */ n) => Math.min(30 + 17 * Math.log2(n + 1), 240);

/**
 * Draws the three matrices, with the row, the column, and the number that they make.
 * @param {import("./types.js").Studio} studio
 * @param {{row: number, shape: number[], weights: number[]}} im2col
 * @param {number} column
 */
export function matrices({ text }, { row, shape: [rows, inner], weights: [, outs] }, column) {
  const [a, k, b] = [side(rows), side(inner), side(outs)], gap = 46, top = 24, left = 6;
  const height = Math.max(a, k) + top + 30, width = left + k + gap + b + gap + b + 110;
  const bar = (/** @type {number} */ index, /** @type {number} */ n, /** @type {number} */ length) => {
    const thick = Math.max(length / n, 4);
    return [Math.min(length * index / n, length - thick), thick];
  };
  const [y, thick] = bar(row, rows, a), [x, across] = bar(column, outs, b);
  const words = text("unit.matrices", { rows: counted(rows), inner: counted(inner), outs: counted(outs), row, column });
  const drawn = svg("svg", { class: "matrices", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": words });
  /** @type {(x: number, w: number, h: number, name: string, below: string) => void} */
  const matrix = (at, w, h, name, below) => drawn.append(
    svg("rect", { class: "matrix", x: at, y: top, width: w, height: h }),
    svg("text", { x: at + w / 2, y: top - 8, "text-anchor": "middle", text: name }),
    svg("text", { class: "soft", x: at + w / 2, y: top + h + 16, "text-anchor": "middle", text: below }));
  const second = left + k + gap, third = second + b + gap;
  matrix(left, k, a, text("unit.matrix"), `${counted(rows)} × ${counted(inner)}`);
  matrix(second, b, k, text("unit.weights"), `${counted(inner)} × ${counted(outs)}`);
  matrix(third, b, a, text("unit.output"), `${counted(rows)} × ${counted(outs)}`);
  drawn.append(
    svg("rect", { class: "taken", x: left, y: top + y, width: k, height: thick }),
    svg("rect", { class: "taken", x: second + x, y: top, width: across, height: k }),
    svg("rect", { class: "made", x: third + x, y: top + y, width: across, height: thick }),
    svg("text", { class: "sign", x: second - gap / 2, y: top + 40, "text-anchor": "middle", text: "×" }),
    svg("text", { class: "sign", x: third - gap / 2, y: top + 40, "text-anchor": "middle", text: "=" }),
    svg("text", { x: third + b + 8, y: top + y + 5, text: text("unit.row", { row }) }),
    svg("text", { x: third + b + 8, y: top + y + 21, text: text("unit.column", { column }) }));
  return make("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": words }, drawn);
}
