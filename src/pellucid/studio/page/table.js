// Numbers as a table: what a canvas shows, for those who read instead of looking, and for copying.

import { make } from "./dom.js";
import { figure } from "./text.js";

const MOST = 64; // rows and columns of one table

/**
 * @param {ArrayLike<number>} numbers
 * @param {number} h
 * @param {number} w
 * @param {{caption: string, row?: string, column?: string, first?: [number, number], digits?: number}} words
 *   `first`: the row and column that the table begins with.
 * @returns {HTMLElement}
 */
export function numberTable(numbers, h, w, words) {
  const { caption, row = "i", column = "j", first = [0, 0], digits = 4 } = words;
  const rows = Math.min(h, MOST), columns = Math.min(w, MOST);
  const head = make("tr", {}, make("th", { scope: "col", text: `${row} \\ ${column}` }));
  for (let j = 0; j < columns; j++) head.append(make("th", { scope: "col", text: first[1] + j }));
  const body = make("tbody");
  for (let i = 0; i < rows; i++) {
    const line = make("tr", {}, make("th", { scope: "row", text: first[0] + i }));
    for (let j = 0; j < columns; j++) line.append(make("td", { text: figure(numbers[i * w + j], digits) }));
    body.append(line);
  }
  const cut = rows < h || columns < w ? ` (${rows}×${columns} / ${h}×${w})` : "";
  return make("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": caption },
    make("table", { class: "numbers" }, make("caption", { text: caption + cut }), make("thead", {}, head), body));
}

/**
 * A button that shows a canvas as a table, and hides it again.
 * @param {string} words
 * @param {() => HTMLElement} table   Made when it is first opened.
 */
export function asTable(words, table) {
  const details = make("details", { class: "as-table" }, make("summary", { text: words }));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(table());
  });
  return details;
}
