// Grids of numbers, as of a window, a filter, their products: tables whose cells are coloured by
// their numbers, so that they are seen, read, selected and copied.

import { make } from "./dom.js";
import { cssColour, inkOn, isDark } from "./colours.js";
import { aligned } from "./text.js";

/** @type {Record<string, [number, number]>} The arrow keys: rows down and columns across. */
export const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/**
 * How a grid is written. `most` is the number with the strongest colour, `padded` tells cells outside the
 * map, `marked` is the cell that wins, `choose` is called with the cell that is clicked or entered.
 * @typedef {{caption: string, most?: number, digits?: number, marked?: number, heading?: string,
 *   padded?: (k: number) => boolean, padding?: string, choose?: (k: number) => void,
 *   hint?: (k: number) => string}} Written
 */

/**
 * @param {ArrayLike<number>} numbers
 * @param {number} h
 * @param {number} w
 * @param {Written} how
 * @returns {HTMLTableElement}
 */
export function numberGrid(numbers, h, w, how) {
  const { caption, most = 0, digits = 3, padded, choose, hint } = how, dark = isDark();
  /** @type {HTMLTableCellElement[]} */
  const cells = [];
  const table = make("table", { class: choose ? "grid chosen-from" : "grid", role: choose ? "grid" : null, "aria-label": caption });
  if (how.heading) table.append(make("caption", { text: how.heading }));
  for (let i = 0; i < h; i++) {
    const row = table.insertRow();
    for (let j = 0; j < w; j++) {
      const k = i * w + j, x = numbers[k], cell = row.insertCell();
      cell.textContent = aligned(x, most, digits);
      cells.push(cell);
      if (padded?.(k)) {
        cell.className = "padded";
        cell.title = how.padding ?? "";
      } else {
        cell.style.backgroundColor = cssColour(x, most, dark);
        cell.style.color = inkOn(x, most, dark);
      }
      if (k === how.marked) cell.classList.add("winner");
    }
  }
  if (hint) table.addEventListener("mouseover", (/** @type {Event} */ e) => {
    const k = cells.indexOf(/** @type {any} */ (e.target));
    if (k >= 0 && !cells[k].title) cells[k].title = hint(k);
  });
  if (choose) chosenFrom(table, cells, w, choose, hint);
  return table;
}

/**
 * Makes cells a grid that is one stop of the Tab key: arrow keys move in it, Enter chooses.
 * @param {HTMLElement} table
 * @param {HTMLElement[]} cells
 * @param {number} w
 * @param {(k: number) => void} choose
 * @param {(k: number) => string} [hint]
 */
function chosenFrom(table, cells, w, choose, hint) {
  for (const [k, cell] of cells.entries()) cell.tabIndex = k ? -1 : 0;
  table.addEventListener("click", (e) => {
    const k = cells.indexOf(/** @type {any} */ (e.target));
    if (k >= 0 && getSelection()?.isCollapsed !== false) choose(k);
  });
  table.addEventListener("keydown", (e) => {
    const k = cells.indexOf(/** @type {any} */ (e.target));
    const [down, across] = STEPS[e.key] ?? [0, 0], to = k + down * w + across;
    if (k < 0 || (to === k && e.key !== "Enter")) return;
    e.preventDefault();
    e.stopPropagation();
    if (e.key === "Enter") return choose(k);
    if (!cells[to]) return;
    if (hint) cells[to].title = hint(to);
    cells[k].tabIndex = -1;
    cells[to].tabIndex = 0;
    cells[to].focus();
  });
}

/** The largest size of the finite numbers. */
export function mostOf(/** @type {ArrayLike<number>} */ numbers) {
  let most = 0;
  for (let k = 0; k < numbers.length; k++) {
    const size = Math.abs(numbers[k]);
    if (size > most && size < Infinity) most = size;
  }
  return most;
}

/** Lets numbers be copied as programs write them: with "-" where the page has the sign "−". */
export function copiedPlainly(/** @type {HTMLElement} */ element) {
  element.addEventListener("copy", (e) => {
    const words = getSelection()?.toString() ?? "";
    e.clipboardData?.setData("text/plain", words.replaceAll("−", "-"));
    e.preventDefault();
  });
}
