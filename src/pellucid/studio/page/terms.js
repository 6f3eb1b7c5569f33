// Long sums as a list: a row for each term, filled as it comes into view.

import { make } from "./dom.js";
import { mostOf } from "./grids.js";
import { lazily } from "./lazy.js";
import { aligned, figure } from "./text.js";

const TOGETHER = 100; // rows that are filled at once

/**
 * @param {{label: string, count: number, name: string, at: (k: number) => Node | string, columns: {heading: string,
 *   data: ArrayLike<number>}[], sum: ArrayLike<number>, soFar: string, digits: number, inOrder: boolean, stop: (() => void)[]}} how
 *   `at` says where the k-th term is; `sum` is what is added up, the largest first unless they are wanted in order.
 */
export function termList({ label, count, name, at, columns, sum, soFar, digits, inOrder, stop }) {
  const box = make("div", { class: "scrolled list", tabindex: 0, role: "group", "aria-label": label });
  const lazy = lazily(box), most = columns.map(({ data }) => mostOf(data)), sums = new Float64Array(count);
  const order = Array.from({ length: count }, (_, k) => k);
  if (!inOrder) order.sort((a, b) => Math.abs(sum[b]) - Math.abs(sum[a]) || a - b);
  stop.push(lazy.stop);
  for (let line = 0; line < count; line++) sums[line] = (line ? sums[line - 1] : 0) + sum[order[line]];
  /** @param {number} from */
  const table = (from) => {
    const head = [name, ...columns.map(({ heading }) => heading), soFar].map((text) => make("th", { scope: "col", text }));
    const rows = order.slice(from, from + TOGETHER).map((k, line) => make("tr", { "data-term": k },
      make("th", { scope: "row" }, at(k)), ...columns.map(({ data }, c) => make("td", { text: aligned(data[k], most[c], digits) })),
      make("td", { text: figure(sums[from + line], Math.max(digits, 5)) })));
    return make("table", { class: "numbers" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
  };
  for (let from = 0; from < count; from += TOGETHER) {
    const place = make("div");
    place.style.minHeight = `${Math.min(TOGETHER, count - from) * 1.4}rem`;
    lazy.watch(place, () => place.replaceChildren(table(from)), () => place.replaceChildren());
    box.append(place);
  }
  return {
    element: box,
    /** Brings a term into view, and marks it. */
    go: (/** @type {number} */ k) => {
      box.scrollTop = (box.scrollHeight * order.indexOf(k)) / count - box.clientHeight / 2;
      setTimeout(() => box.querySelectorAll("tr").forEach((/** @type {HTMLElement} */ row) => row.classList.toggle("chosen", row.dataset.term === String(k))), 100);
    },
  };
}
