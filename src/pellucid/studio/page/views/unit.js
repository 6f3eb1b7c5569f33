// The arithmetic of one unit: its window, the filter, the products, their sum, and what follows.

import { make } from "../dom.js";
import { chooseUnit, chosenUnit, chosenValue, unitLink, unitName } from "../choice.js";
import { equation } from "../formula.js";
import { copiedPlainly, mostOf } from "../grids.js";
import { laidOut, oneMap } from "../layout.js";
import { mapFigure } from "../map_figure.js";
import { problem } from "../notices.js";
import { counted, figure } from "../text.js";
import { drawPart } from "../unit_parts.js";

/** @typedef {import("../types.js").Value} Value */

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const { state } = studio, title = make("h3"), problems = make("div"), tools = make("div", { class: "tools" });
  const before = mapFigure({ move: (i, j) => { const from = shown?.from; if (from) chooseUnit(studio, from.value.id, laidOut(from.value.shape).unit(from.channel, i, j)); }, label: studio.text("unit.before-keys") });
  const after = mapFigure({ move, page, label: studio.text("unit.after-keys") });
  const figures = make("div", { class: "columns" }, before.element, after.element), sections = make("div");
  element.append(title, problems, tools, figures, sections);
  copiedPlainly(sections);

  /** @type {{from: {value: Value, channel: number, part: any, symbols: any} | null} | null} */
  let shown = null;
  /** @type {(() => void)[]} */
  let stops = [];
  /** @type {Awaited<ReturnType<typeof oneMap>> | null} */
  let map = null;
  let round = 0;
  let asMatrices = make("span");

  // Where one is ---------------------------------------------------------------------------------

  function move(/** @type {number} */ i, /** @type {number} */ j) {
    const value = chosenValue(studio), unit = map?.unit(i, j);
    if (unit && value.shape.length > 2) unit[0] = chosenUnit(studio, value)[0]; // the map may be that of the channel before
    if (unit) go(unit);
  }
  function page(/** @type {number} */ by) {
    const value = chosenValue(studio), lay = laidOut(value.shape), [c, i, j] = lay.place(chosenUnit(studio, value));
    if (c + by >= 0 && c + by < lay.channels) go(lay.unit(c + by, i, j));
  }
  const go = (/** @type {number[]} */ unit) => state.set({ value: chosenValue(studio).id, unit: unit.join(".") });

  function furnish() {
    const { text } = studio, value = chosenValue(studio), unit = chosenUnit(studio, value);
    const letters = value.shape.length === 3 ? ["c", "i", "j"] : value.shape.length === 1 ? ["k"] : value.shape.map((_, k) => `k${k}`);
    /** @type {(key: string, choices: [string, string][]) => any} */
    const select = (key, choices) => make("select", { onchange: (/** @type {any} */ e) => state.set({ [key]: e.target.value }) },
      ...choices.map(([name, words]) => make("option", { value: name, text: words, selected: name === (state.get(key) || choices[0][0]) })));
    /** @type {(key: string, words: [string, string]) => any} */
    const toggle = (key, words) => make("span", { class: "toggle", role: "group" }, ...words.map((label, k) => make("button", {
      type: "button", text: label, "aria-pressed": String((state.get(key) === "1") === (k === 1)), onclick: () => state.set({ [key]: k ? "1" : "" }),
    })));
    const focused = tools.contains(document.activeElement) ? [...tools.querySelectorAll("input, select, button")].indexOf(/** @type {any} */ (document.activeElement)) : -1;
    title.replaceChildren(`${value.title} `, make("span", { class: "note", text: value.repr || value.kind }));
    tools.replaceChildren(
      ...letters.map((letter, axis) => make("label", {}, letter, make("input", {
        type: "number", min: 0, max: value.shape[axis] - 1, value: unit[axis], "data-axis": axis,
        onchange: (/** @type {any} */ e) => go(unit.map((k, n) => (n === axis ? Math.min(Math.max(Math.round(Number(e.target.value)) || 0, 0), value.shape[axis] - 1) : k))),
      }))),
      make("span", { class: "gap" }),
      asMatrices = toggle("im2col", [text("unit.as-windows"), text("unit.as-matrices")]),
      make("label", {}, text("unit.order"), select("order", [["", text("unit.largest")], ["order", text("unit.in-order")]])),
      make("label", {}, text("unit.digits"), select("digits", [["", "3"], ["5", "5"], ["9", "9"]])));
    if (focused >= 0) /** @type {any} */ (tools.querySelectorAll("input, select, button")[focused])?.focus();
  }

  // The values of a stage, as a convolution, its batch norm and its activation: one unit passes through.
  function chain(/** @type {Value} */ value) {
    return studio.network.values.filter(({ id, stage }) => id === value.id || (id > 0 && stage === value.stage && value.id > 0));
  }

  // What is drawn --------------------------------------------------------------------------------

  async function draw() {
    furnish();
    const turn = ++round, { text, network, seen } = studio, value = chosenValue(studio), unit = chosenUnit(studio, value);
    figures.hidden = !seen;
    if (!seen) return sections.replaceChildren(make("p", { class: "note", text: text("unit.no-image") }));
    try {
      const asked = chain(value).map(({ id }) => studio.ask("unit", { image: seen.image, value: id, unit }));
      const found = await Promise.all([oneMap(studio, value, laidOut(value.shape).place(unit)[0]), ...asked]);
      if (turn !== round) return;
      const told = found.slice(1);
      map = found[0];
      drawAfter(value, unit, map);
      problem(problems, null);
      stops.forEach((stop) => stop());
      stops = [];
      const places = [...sections.children].map((each) => each.querySelector(".windows, .list")?.scrollTop ?? 0);
      sections.replaceChildren(...told.map((each, k) => section(each, network.values[each.value], value.id, k)));
      places.forEach((top, k) => { const box = sections.children[k]?.querySelector(".windows, .list"); if (box) box.scrollTop = top; });
      studio.announce(`${unitName(value, unit)} = ${figure(told.find((each) => each.value === value.id).engine, 5)}`);
      const part = told[0].parts.find((/** @type {any} */ each) => each.rows) ?? null;
      asMatrices.hidden = !told.some(({ parts }) => parts.some((/** @type {any} */ each) => each.im2col));
      shown = { from: part && { value: network.values[part.input], channel: strongest(part), part, symbols: told[0].symbols } };
      before.element.hidden = !part;
      if (part) await drawBefore(turn);
      await drawReaders(told[told.length - 1].value, unit, turn);
    } catch (error) {
      if (turn === round) problem(problems, error);
    }
  }

  /** @param {any} told @param {Value} value @param {number} chosen @param {number} k */
  function section(told, value, chosen, k) {
    const { text } = studio, digits = Number(state.get("digits")) || 3;
    const context = {
      studio, value, unit: told.unit, digits, inOrder: state.get("order") === "order", matrices: state.get("im2col") === "1", stop: stops,
      picked: (/** @type {number} */ channel) => { if (shown?.from) { shown.from.channel = channel; drawBefore(round); } },
    };
    const symbols = Object.entries(told.symbols).map(([name, x]) => `${name} = ${Array.isArray(x) ? x.join(", ") : x}`).join(", ");
    const apart = Math.abs(told.result - told.engine);
    return make("section", { class: value.id === chosen ? "panel here" : "panel", "data-value": value.id },
      make("h3", {}, `${value.title} `, make("span", { class: "note", text: value.repr || value.kind })),
      told.equation && told.equation !== told.parts[0].text && equation(told.equation),
      symbols && make("p", { class: "note numbers", text: symbols }),
      !told.exact && make("p", { class: "problem", text: text("unit.not-exact", { kind: value.kind }) }),
      ...told.parts.map((/** @type {any} */ part) => drawPart(context, part)),
      make("p", { class: "note compared" }, `${unitName(value, told.unit)}: `, text("unit.engine"), " ", make("span", { class: "number engine", text: figure(told.engine, Math.max(digits, 7)) }),
        value.id && told.exact ? ` · ${text("unit.difference")} ${figure(apart, 2)}` : ""));
  }

  /**
   * @param {Value} value
   * @param {number[]} unit
   * @param {Awaited<ReturnType<typeof oneMap>>} drawn
   */
  function drawAfter(value, unit, { numbers, h, w, name, cell }) {
    const { row, channels } = laidOut(value.shape);
    after.draw({
      numbers, h, w, most: mostOf(numbers), cursor: cell(unit),
      caption: studio.text(row ? "unit.after-row" : "unit.after", { name, of: counted(channels) }),
      words: studio.text("unit.map-words", { name, h, w, unit: unit.join(", ") }),
    });
  }

  /** @param {number} turn */
  async function drawBefore(turn) {
    const from = shown?.from;
    if (!from) return;
    const { value, channel, part, symbols } = from, { rows, columns } = part;
    const { numbers, h, w, name } = await oneMap(studio, value, channel);
    if (turn !== round) return;
    const least = [symbols.p ?? 0].flat(), [up, aside] = [least[0], least[least.length - 1]];
    const last = (/** @type {number[]} */ [first, step, n]) => first + step * (n - 1);
    before.draw({
      numbers, h, w, most: mostOf(numbers), frames: rows[2] * columns[2] ? [{ rows, columns }] : [],
      margin: [Math.max(-rows[0], up, 0), Math.max(last(columns) + 1 - w, aside, 0), Math.max(last(rows) + 1 - h, up, 0), Math.max(-columns[0], aside, 0)],
      caption: studio.text("unit.before", { name, of: counted(part.channels[1] - part.channels[0]) }),
      words: studio.text("unit.window-words", { name, rows: `${rows[0]}–${last(rows)}`, columns: `${columns[0]}–${last(columns)}` }),
    });
  }

  // Which units of the next layers read this one.
  async function drawReaders(/** @type {number} */ last, /** @type {number[]} */ unit, /** @type {number} */ turn) {
    const { network, text } = studio, next = network.values.filter(({ reads }) => reads.includes(last));
    if (!next.length || !network.can.includes("field")) return;
    const { reaches } = await studio.ask("field", { value: last, unit });
    if (turn !== round) return;
    const links = next.flatMap((value) => {
      const box = reaches.find((/** @type {any} */ each) => each.value === value.id);
      if (!box) return [];
      const first = value.shape.map((_, axis) => [box.channels, box.rows, box.columns][axis]?.[0] ?? 0);
      return [" ", unitLink(studio, unitName(value, first), value.id, first), box.units > 1 ? ` (${text("unit.of-units", { n: counted(box.units) })})` : ""];
    });
    if (links.length) sections.append(make("p", { class: "readers" }, text("unit.readers"), ...links));
  }

  function strongest(/** @type {any} */ part) { // the channel with the largest sum
    const data = (part.products ?? part.numbers).data, n = part.channels[1] - part.channels[0], area = data.length / n;
    const sums = Array.from({ length: n }, (_, c) => Math.abs(data.subarray(c * area, (c + 1) * area).reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0)));
    return part.channels[0] + (n ? sums.indexOf(Math.max(...sums)) : 0);
  }

  draw();
  if (document.activeElement === document.body) /** @type {HTMLElement} */ (after.element.firstElementChild).focus({ preventScroll: true });
  return {
    update: (changed) => {
      if (changed.has("network")) stops.forEach((stop) => stop()); // rows that come into view are of the one before
      if (["value", "unit", "network", "seen", "weights", "digits", "order", "im2col", "lang", "theme"].some((each) => changed.has(each))) draw();
    },
    dispose: () => {
      round++;
      stops.forEach((stop) => stop());
    },
  };
}
