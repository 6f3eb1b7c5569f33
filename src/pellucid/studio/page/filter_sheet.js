// The filters of a layer with the maps they make of an image, as they change; and one weight by hand.

import { isDark, signedColours, signedImage } from "./colours.js";
import { make } from "./dom.js";
import { mostOf, numberGrid } from "./grids.js";
import { problem } from "./notices.js";
import { figure } from "./text.js";

/** @typedef {import("./types.js").NDArray} NDArray */

const FILTERS = 48, CELLS = 400; // that are shown; numbers of a grid
const REST = 250; // milliseconds between two looks at a training

/**
 * @param {import("./types.js").Studio} studio
 */
export function filterSheet(studio) {
  const { text, state } = studio;
  const layer = make("select", { onchange: () => state.set({ layer: layer.value, filter: "" }) });
  const note = make("p", { class: "note" }), list = make("ol", { class: "cards filters" }), editor = make("section", { class: "panel" });
  const channel = make("select", { onchange: edit }), number = make("input", { type: "number", step: "any", "aria-label": text("training.number") });
  const grid = make("div", { class: "scrolled" }), effect = make("div", { "aria-live": "polite" });
  const restore = make("button", { type: "button", text: text("training.restore"), onclick: undo });
  const place = make("span", { class: "number" });
  const form = make("form", { class: "tools", onsubmit: set }, place, number, make("button", { type: "submit", text: text("training.set") }), restore);
  const heading = make("h3"), channels = make("label", {}, text("training.channel"), channel);
  editor.append(heading, make("p", { class: "note", text: text("training.edit_note") }), make("div", { class: "tools" }, channels), grid, form, effect);
  const element = make("section", { class: "panel" }, make("h3", { text: text("training.filters") }),
    make("div", { class: "tools" }, make("label", {}, text("training.layer"), layer)), note, list);

  /** @type {{button: HTMLElement, filter: HTMLCanvasElement, map: HTMLCanvasElement}[]} */
  let cards = [];
  /** @type {any} */
  let found = null;
  let index = [0, 0]; // of the weight in the filter: its channel, and its number in it
  let busy = false, stale = false, gone = false;

  const layers = () => studio.network.values.filter(({ weights }) => weights.some(({ shape }) => shape.length > 1));
  const value = () => layers().find(({ id }) => String(id) === state.get("layer")) ?? layers()[0];
  const key = () => value().weights.find(({ shape }) => shape.length > 1)?.key ?? "";
  const chosen = () => Math.min(Math.max(state.number("filter") || 0, 0), (found?.total ?? 1) - 1);

  /** Looks at the weights once more, but at one time only, and not all the time. */
  async function look() {
    if (busy || gone) { stale = true; return; }
    busy = true;
    stale = false;
    try {
      if (value()) await show();
      problem(element, null);
    } catch (error) {
      problem(element, error);
    }
    setTimeout(() => { busy = false; if (stale) look(); }, REST);
  }

  async function show() {
    const { seen } = studio, made = value(), weights = key();
    const [first, one, maps] = await Promise.all([
      studio.ask("weights", { key: weights, count: FILTERS }),
      chosen() >= FILTERS ? studio.ask("weights", { key: weights, first: chosen() }) : null,
      seen && made.shape.length === 3 ? studio.ask("maps", { image: seen.image, value: made.stage, count: FILTERS }) : null,
    ]);
    if (gone || weights !== key()) return;
    found = { ...first, one: one ? one.weights.data : null, size: first.weights.data.length / first.weights.shape[0] };
    layer.replaceChildren(...layers().map((each) => make("option", { value: each.id, text: `${each.title} ${each.kind}`, selected: each === made })));
    const n = first.weights.shape[0];
    if (cards.length !== n || list.dataset.key !== weights) build(n, weights);
    const most = Math.max(Math.abs(first.low), Math.abs(first.high)), table = signedColours(isDark());
    cards.forEach(({ button, filter, map }, k) => {
      picture(filter, first.weights.data.subarray(k * found.size, (k + 1) * found.size), shapeOf(first.shape), most, table);
      button.setAttribute("aria-pressed", String(k === chosen()));
      map.hidden = !maps;
      if (!maps) return;
      const [, h, w] = maps.maps.shape, numbers = maps.maps.data.subarray(k * h * w, (k + 1) * h * w);
      Object.assign(map, { width: w, height: h });
      map.getContext("2d")?.putImageData(signedImage(numbers, h, w, Math.max(Math.abs(maps.low), Math.abs(maps.high)), table), 0, 0);
    });
    note.textContent = text(maps ? "training.filters_maps" : "training.filters_note", { n, total: first.total, low: figure(first.low), high: figure(first.high) });
    edit();
  }

  /** @param {number} n @param {string} weights */
  function build(n, weights) {
    list.dataset.key = weights;
    cards = Array.from({ length: n }, (_, k) => {
      const filter = make("canvas", { "aria-hidden": true }), map = make("canvas", { "aria-hidden": true });
      const button = make("button", { type: "button", class: "card", "aria-label": text("training.filter", { k }), onclick: () => state.set({ filter: k }) },
        filter, map, make("span", { text: k }));
      return { button, filter, map };
    });
    list.replaceChildren(...cards.map(({ button }) => make("li", {}, button)));
  }

  // One weight -----------------------------------------------------------------------------------

  function edit() {
    if (!found) return;
    const k = chosen(), { c, h, w } = shapeOf(found.shape), n = h * w;
    const mine = numbersOf();
    if (channel.options.length !== c) channel.replaceChildren(...Array.from({ length: c }, (_, each) => make("option", { value: each, text: each })));
    channels.hidden = c < 2;
    index = [Number(channel.value) || 0, Math.min(index[1], Math.min(n, found.size) - 1)];
    heading.textContent = text("training.weights_of", { key: found.key, k });
    const numbers = mine.subarray(index[0] * n, index[0] * n + Math.min(n, CELLS)), wide = Math.min(w, CELLS);
    const focused = [...grid.querySelectorAll("td")].indexOf(/** @type {any} */ (document.activeElement));
    const table = numberGrid(numbers, Math.ceil(numbers.length / wide), wide, {
      caption: heading.textContent ?? "", most: mostOf(numbers), marked: index[1],
      choose: (cell) => { index[1] = cell; write(true); edit(); },
    });
    grid.replaceChildren(table);
    if (focused >= 0) table.querySelectorAll("td")[focused]?.focus();
    write(document.activeElement !== number);
  }

  /** The numbers of the chosen filter. @returns {Float32Array} */
  const numbersOf = () => found.one ?? found.weights.data.subarray(chosen() * found.size, (chosen() + 1) * found.size);

  /** The place of the weight as the parameter has it. */
  function placeOf() {
    const [c, at] = index, { w } = shapeOf(found.shape), dims = found.shape.length;
    return dims === 4 ? [chosen(), c, Math.floor(at / w), at % w] : dims === 2 ? [chosen(), at] : [chosen(), ...unravelled(c * w + at, found.shape.slice(1))];
  }

  /** @param {boolean} anew   Whether the number is written anew, too. */
  function write(anew) {
    place.textContent = `[${placeOf().join(", ")}]`;
    const mine = numbersOf(), { h, w } = shapeOf(found.shape);
    if (anew) number.value = String(Number(mine[index[0] * h * w + index[1]].toPrecision(6)));
  }

  /** @param {Event} event */
  async function set(event) {
    event.preventDefault();
    if (!found || number.value === "") return;
    try {
      const done = await studio.ask("edit", { key: found.key, index: placeOf(), number: Number(number.value), image: studio.seen?.image ?? null });
      problem(editor, null);
      const words = text("training.edited", { place: `${done.key}[${done.index.join(", ")}]`, before: figure(done.before), after: figure(done.number) });
      effect.replaceChildren(make("p", { text: words }), done.scores[0]?.probabilities ? compared(done.scores) : make("p", { class: "note", text: text("training.no_image") }));
      look();
    } catch (error) {
      problem(editor, error);
    }
  }

  async function undo() {
    const { restored } = await studio.ask("restore");
    effect.replaceChildren(make("p", { text: text("training.restored", { n: restored }) }));
    look();
  }

  /**
   * The probabilities of the likeliest classes before and after.
   * @param {any[]} scores
   */
  function compared([before, after]) {
    const one = before.probabilities.data, two = after.probabilities.data;
    const order = Array.from(one, (_, k) => k).sort((a, b) => Math.max(one[b], two[b]) - Math.max(one[a], two[a])).slice(0, 5);
    const share = (/** @type {number} */ x) => `${(100 * x).toFixed(2)} %`;
    return make("table", { class: "numbers" }, make("thead", {}, make("tr", {}, ...["class", "score_before", "score_after", "before", "after"].map((each) => make("th", { scope: "col", text: text(`training.${each}`) })))),
      make("tbody", {}, ...order.map((k) => make("tr", {}, make("th", { scope: "row", class: "word", text: studio.network.classes[k] }),
        ...[figure(before.scores.data[k]), figure(after.scores.data[k]), share(one[k]), share(two[k])].map((words) => make("td", { text: words }))))));
  }

  return { element, editor, look, edit, dispose: () => { gone = true; } };
}

/** A filter's channels, rows and columns; other weights are one row, folded to be as high as wide. */
function shapeOf(/** @type {number[]} */ shape) {
  if (shape.length === 4) return { c: shape[1], h: shape[2], w: shape[3] };
  const n = shape.slice(1).reduce((a, b) => a * b, 1), w = Math.ceil(Math.sqrt(n));
  return { c: 1, h: Math.ceil(n / w), w };
}

/** @param {number} at @param {number[]} shape */
const unravelled = (at, shape) => shape.map((n, k) => Math.floor(at / shape.slice(k + 1).reduce((a, b) => a * b, 1)) % n);

/**
 * Paints a filter: its only channel; three as a colour, grey being 0; of more, the sum.
 * @param {HTMLCanvasElement} canvas
 * @param {import("./types.js").Numbers} numbers
 * @param {{c: number, h: number, w: number}} shape
 * @param {number} most
 * @param {Uint32Array} table
 */
function picture(canvas, numbers, { c, h, w }, most, table) {
  const n = h * w;
  Object.assign(canvas, { width: w, height: h });
  /** @type {ArrayLike<number>} */
  let one = numbers;
  if (c > 1) one = Float32Array.from({ length: n }, (_, k) => { let sum = 0; for (let b = 0; b < c; b++) sum += numbers[b * n + k]; return sum / Math.sqrt(c); });
  const image = signedImage(one, h, w, most, table);
  if (c === 3) for (let k = 0; k < n; k++) for (let b = 0; b < 3; b++) image.data[4 * k + b] = 128 + 127 * numbers[b * n + k] / (most || 1);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}
