// A line of text in which places can be marked: what is at fault, and what is pointed at.

import { make } from "./dom.js";

/** @typedef {{start: number, end: number, kind: "fault" | "chosen"}} Mark Places are counted in letters. */

/**
 * @param {{label: string, describedby: string, change: (text: string) => void, caret: (place: number) => void}} how
 *   `caret` is told at which letter the caret is.
 */
export function lineEditor({ label, describedby, change, caret }) {
  const under = make("pre", { "aria-hidden": true });
  const area = make("textarea", { rows: 1, spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-label": label, "aria-describedby": describedby });
  const element = make("div", { class: "line-editor" }, under, area);
  /** @type {Mark[]} */
  let marks = [];
  const letters = () => Array.from(/** @type {string} */ (area.value)); // not UTF-16's units

  function paint() {
    const all = [...letters(), " "]; // a place at the end can be marked, too
    const kinds = all.map((_, k) => marks.filter(({ start, end }) => k >= start && k < Math.max(end, start + 1)).map(({ kind }) => kind).join(" "));
    const pieces = [];
    for (let from = 0, k = 1; k <= all.length; k++) {
      if (k < all.length && kinds[k] === kinds[from]) continue;
      const words = all.slice(from, k).join("");
      pieces.push(kinds[from] ? make("mark", { class: kinds[from], text: words }) : words);
      from = k;
    }
    under.replaceChildren(...pieces);
    area.setAttribute("aria-invalid", String(marks.some(({ kind }) => kind === "fault")));
  }
  area.addEventListener("input", () => { marks = []; paint(); change(area.value); });
  for (const name of ["keyup", "click", "focus"])
    area.addEventListener(name, () => caret(Array.from(area.value.slice(0, area.selectionStart)).length));
  return {
    element,
    write: (/** @type {string} */ text) => { if (area.value !== text) { area.value = text; marks = []; paint(); } },
    /** What is being written; null if something else has the focus. */
    writing: () => (document.activeElement === area ? /** @type {string} */ (area.value) : null),
    mark: (/** @type {Mark[]} */ given) => { marks = given; paint(); },
    /** Selects a place, to be typed over. */
    select: (/** @type {number} */ start, /** @type {number} */ end) => {
      const units = (/** @type {number} */ k) => letters().slice(0, k).join("").length;
      area.focus();
      area.setSelectionRange(units(start), units(end));
    },
  };
}
