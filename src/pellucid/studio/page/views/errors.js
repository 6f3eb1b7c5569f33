// Where the network errs: its confusion matrix, the images of a cell, and why an image is one of them.

import { make } from "../dom.js";
import { matrixFigure } from "../matrix.js";
import { problem, progress } from "../notices.js";
import { pictureCards } from "../pictures.js";
import { asTable } from "../table.js";
import { counted } from "../text.js";
import { whyPanel } from "./why.js";

const PAGE = 24, MOST = 64; // images at a time; rows and columns of a table

const percent = (/** @type {number} */ share) => (Number.isNaN(share) ? "–" : `${(100 * share).toFixed(1)} %`);

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const { text, state } = studio;
  /** @type {any} */
  let found = null;
  const part = make("select", { onchange: () => state.set({ part: part.value, cell: "" }) });
  const kinds = ["counts", "shares"].map((kind) =>
    make("button", { type: "button", text: text(`errors.${kind}`), onclick: () => state.set({ matrix: kind === "counts" ? "" : kind }) }));
  const sum = make("p", { class: "lead" }), under = make("p", { class: "note", "aria-hidden": true }), table = make("div");
  const matrix = matrixFigure({
    label: text("errors.matrix"), row: text("errors.true"), column: text("errors.predicted"),
    move: (i, j) => studio.announce(under.textContent = cellWords(i, j)),
    choose: (i, j) => state.set({ cell: `${i}.${j}` }, { step: true }),
  });
  const top = make("section", { class: "panel" },
    make("div", { class: "tools" }, make("label", {}, text("errors.part"), part),
      make("span", { class: "toggle", role: "group", "aria-label": text("errors.kind") }, ...kinds)),
    sum, make("div", { class: "columns" }, make("div", { class: "confusion-part" }, make("h3", { text: text("errors.matrix") }), matrix.element, under, table),
      make("div", { class: "by-class" })));
  const cell = make("section", { class: "panel" }), why = whyPanel(studio);
  element.append(make("p", { class: "note", text: text("errors.lead") }), top, cell, why.element);

  /** @param {number} i @param {number} j */
  const cellWords = (i, j) => {
    const k = found.classes.length, n = found.matrix.data[i * k + j];
    const share = percent(n / Math.max(found.support.data[i], 1));
    return text(i === j ? "errors.right" : "errors.wrong", { a: found.classes[i], b: found.classes[j], n: counted(n), of: counted(found.support.data[i]), share });
  };

  async function load() {
    const { data } = studio.network;
    for (const each of [part.parentElement, table.parentElement.parentElement, kinds[0].parentElement]) each.hidden = !data;
    if (!data) {
      [found, cell.hidden, sum.textContent] = [null, true, text("errors.no_data")];
      return;
    }
    const waiting = progress(top, text("errors.computing"), studio);
    try {
      found = await studio.ask("errors", state.get("part") ? { part: state.get("part") } : {}, waiting.options);
      problem(top, null);
      show();
      await fill();
    } catch (error) {
      problem(top, error);
    } finally {
      waiting.end();
    }
  }

  function show() {
    if (!found) return;
    const shares = state.get("matrix") === "shares", wrong = found.count - Math.round(found.accuracy * found.count);
    part.replaceChildren(...Object.entries(found.parts).map(([role, n]) =>
      make("option", { value: role, text: `${text(`errors.${role}`)} (${counted(Number(n))})`, selected: role === found.part })));
    kinds.forEach((button, k) => button.setAttribute("aria-pressed", String(Boolean(k) === shares)));
    sum.textContent = text("errors.sum", { n: counted(found.count), wrong: counted(wrong), accuracy: percent(found.accuracy) });
    const chosen = cellOf();
    if (chosen) matrix.point(chosen[0], chosen[1]);
    matrix.draw({ counts: found.matrix.data, classes: found.classes, support: found.support.data, shares });
    under.textContent = text("errors.hint");
    table.replaceChildren(asTable(text("errors.table"), () => matrixTable(found, text, shares)));
    top.querySelector(".by-class").replaceChildren(...classTable(found, text, (i, j) => state.set({ cell: `${i}.${j}` }, { step: true })));
  }

  /** @returns {number[] | null} */
  function cellOf() {
    const [i, j] = state.get("cell").split(".").map(Number), k = found?.classes.length ?? 0;
    return i >= 0 && j >= 0 && i < k && j < k ? [i, j] : null;
  }

  async function fill() {
    const chosen = cellOf();
    cell.hidden = !chosen;
    if (!chosen) return;
    const [row, column] = chosen, list = make("ol", { class: "cards" });
    const more = make("button", { type: "button", text: text("errors.more"), onclick: () => add() });
    cell.replaceChildren(make("h3", { text: cellWords(row, column) }), list, more);
    matrix.point(row, column);
    let start = 0;
    async function add() {
      try {
        const some = await studio.ask("errors/cell", { part: found.part, row, column, start, count: PAGE });
        const words = (/** @type {number} */ k) => ({
          name: text("errors.image", { index: some.indices.data[k], confidence: percent(some.confidences.data[k]) }),
          below: percent(some.confidences.data[k]),
        });
        list.append(...pictureCards(some.pictures, words, async (k) => {
          state.set({ class: "" }, { step: true });
          await studio.see({ part: found.part, index: some.indices.data[k] });
          why.element.scrollIntoView({ block: "nearest" });
        }));
        start += some.indices.data.length;
        more.hidden = start >= some.total;
      } catch (error) {
        problem(cell, error);
      }
    }
    await add();
  }

  load();
  return {
    update: (changed) => {
      if (["network", "weights", "part"].some((key) => changed.has(key))) load();
      else if (changed.has("matrix") || changed.has("theme")) show();
      if (changed.has("cell") && !changed.has("part")) fill();
      why.update(changed);
    },
    dispose: why.dispose,
  };
}

/**
 * Recall, precision and the most frequent confusion of each class, the worst one first.
 * @param {any} found
 * @param {import("../types.js").Studio["text"]} text
 * @param {(i: number, j: number) => void} choose
 */
function classTable({ classes, matrix, support, recall, precision, f1 }, text, choose) {
  const k = classes.length, last = (/** @type {number} */ c) => (Number.isNaN(f1.data[c]) ? 2 : f1.data[c]);
  const order = classes.map((/** @type {string} */ _, /** @type {number} */ c) => c).sort((/** @type {number} */ a, /** @type {number} */ b) => last(a) - last(b));
  const body = make("tbody", {}, ...order.map((/** @type {number} */ c) => {
    const others = Array.from({ length: k }, (_, j) => (j === c ? 0 : matrix.data[c * k + j])), most = Math.max(...others), j = others.indexOf(most);
    return make("tr", {}, make("th", { scope: "row", class: "word", text: classes[c] }), make("td", { text: counted(support.data[c]) }),
      make("td", { text: percent(recall.data[c]) }), make("td", { text: percent(precision.data[c]) }), make("td", { text: percent(f1.data[c]) }),
      make("td", { class: "word" }, most > 0 && make("button", { type: "button", class: "link", text: `${classes[j]} (${counted(most)})`, onclick: () => choose(c, j) })));
  }));
  const names = ["class", "images", "recall", "precision", "f1", "most"];
  const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col", class: name === "class" || name === "most" ? "word" : null, text: text(`errors.${name}`) })));
  return [make("h3", { text: text("errors.by_class") }),
    make("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": text("errors.by_class") }, make("table", { class: "numbers" }, make("thead", {}, head), body))];
}

/**
 * @param {any} found
 * @param {import("../types.js").Studio["text"]} text
 * @param {boolean} shares
 */
function matrixTable({ classes, matrix, support }, text, shares) {
  const k = classes.length, some = classes.slice(0, MOST), caption = text("errors.table_says") + (k > MOST ? ` (${MOST} / ${k})` : "");
  const head = make("tr", {}, make("td"), ...some.map((/** @type {string} */ name) => make("th", { scope: "col", text: name })));
  const rows = some.map((/** @type {string} */ name, /** @type {number} */ i) => make("tr", {}, make("th", { scope: "row", text: name }),
    ...some.map((/** @type {string} */ _, /** @type {number} */ j) => {
      const n = matrix.data[i * k + j];
      return make("td", { text: shares ? percent(n / Math.max(support.data[i], 1)) : counted(n) });
    })));
  return make("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": caption },
    make("table", { class: "numbers" }, make("caption", { text: caption }), make("thead", {}, head), make("tbody", {}, ...rows)));
}
