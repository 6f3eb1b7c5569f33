// The way back: the loss, the gradient of a unit, what it hands on, and the next value of a weight.

import { arrivingPart, arrivingSum, handedPart, lossPart } from "../back_parts.js";
import { placeOf } from "../box_part.js";
import { chooseUnit, chosenUnit, chosenValue, unitName } from "../choice.js";
import { make, newestOnly } from "../dom.js";
import { copiedPlainly, mostOf } from "../grids.js";
import { askMaps, isUnit, laidOut } from "../layout.js";
import { mapFigure } from "../map_figure.js";
import { problem, progress } from "../notices.js";
import { asTable, numberTable } from "../table.js";
import { figure } from "../text.js";
import { gradientPart, updatePart } from "../weight_part.js";
import { classChoice, classOf } from "./why.js";

const STRIP = 32; // numbers of a row (F,) in one line of its map

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const { text, state } = studio, says = make("div"), { choice, label } = classChoice(studio);
  const place = make("span", { class: "tools" }), title = make("h3");
  const maps = ["map", "gradient"].map(() => mapFigure({ size: 240, move, page, label: text("unit.after-keys") }));
  const tables = maps.map(() => make("div"));
  const [loss, arrives, hands, ofWeight] = ["loss", "arrives", "hands", "weight"].map((name) => {
    const body = make("div");
    return { body, element: make("section", { class: "panel", "data-part": name }, make("h3", { text: text(`back.${name}`) }), body) };
  });
  const pick = make("div", { class: "tools" }), step = make("div");
  ofWeight.element.children[0].after(pick);
  element.append(make("p", { class: "lead", text: text("back.lead") }), make("div", { class: "tools" }, label, place), says,
    loss.element, make("section", { class: "panel" }, title, make("div", { class: "columns" }, ...maps.map((each, k) => make("div", {}, each.element, tables[k])))),
    arrives.element, hands.element, ofWeight.element);
  copiedPlainly(element);
  /** @type {(() => void)[]} */
  let stops = [];
  /** @type {(() => void)[]} */
  let weightStops = [];
  let over = false, stop = () => {}; // what is computed for an image or a class that was left

  const lay = () => laidOut(chosenValue(studio).shape);
  const go = (/** @type {number[]} */ unit) => state.set({ value: chosenValue(studio).id, unit: unit.join(".") });
  function move(/** @type {number} */ i, /** @type {number} */ j) {
    const { row, channels, unit, place: at } = lay(), [c] = at(chosenUnit(studio, chosenValue(studio)));
    if (!row) go(unit(c, i, j));
    else if (i * STRIP + j < channels) go([i * STRIP + j]);
  }
  function page(/** @type {number} */ by) {
    const { channels, unit, place: at } = lay(), [c, i, j] = at(chosenUnit(studio, chosenValue(studio)));
    if (c + by >= 0 && c + by < channels) go(unit(c + by, i, j));
  }
  const context = (/** @type {(() => void)[]} */ stop) => ({
    studio, value: chosenValue(studio), unit: chosenUnit(studio, chosenValue(studio)), digits: Number(state.get("digits")) || 3,
    inOrder: state.get("order") === "order", matrices: false, stop, picked: () => {},
  });

  /**
   * The channel of a unit as a map, or a row of numbers in lines.
   * @param {number[]} unit
   * @param {(k: number) => number} number   The k-th number of it.
   */
  function pictured(unit, number) {
    const { channels, h, w, row, place: at } = lay(), [c, i, j] = at(unit), wide = row ? Math.min(STRIP, channels) : w, high = row ? Math.ceil(channels / wide) : h;
    const numbers = Array.from({ length: high * wide }, (_, k) => (row && k >= channels ? 0 : number(k)));
    return { h: high, w: wide, numbers, cursor: /** @type {[number, number]} */ (row ? [Math.floor(c / wide), c % wide] : [i, j]) };
  }

  const draw = newestOnly(async () => {
    const { seen, network } = studio, value = chosenValue(studio), unit = chosenUnit(studio, value), { row, channels } = lay();
    for (const each of element.querySelectorAll(":scope > section")) /** @type {HTMLElement} */ (each).hidden = !seen;
    furnish();
    says.replaceChildren(...(seen ? [] : [make("p", { class: "note", text: text("back.no-image") })]));
    if (!seen) return;
    const waiting = progress(says, text("back.computing"), studio);
    stop = waiting.cancel;
    try {
      const target = classOf(studio), [c] = lay().place(unit);
      choice.value = String(target);
      const [back, own] = await Promise.all([
        studio.ask("way_back", { image: seen.image, value: value.id, unit, class_: target }, waiting.options),
        askMaps(studio, value.id, row ? 0 : c, row ? channels : 1),
      ]);
      if (over) return;
      problem(says, null);
      const largest = unitOfMost(back.map);
      if (!isUnit(state.unit() ?? [], value.shape) && String(largest) !== String(unit)) return go(largest); // one that learns
      stops.forEach((stop) => stop());
      const drawn = context(stops = []), name = unitName(value, unit);
      loss.body.replaceChildren(...lossPart(drawn, back).filter(Boolean));
      title.replaceChildren(`${value.title} `, make("span", { class: "note", text: value.repr || value.kind }));
      const first = row ? 0 : c * lay().h * lay().w, of = row || value.shape.length < 3 ? value.title : `${value.title}[${c}]`;
      for (const [k, key] of ["map", "gradient"].entries()) {
        const shown = pictured(unit, (at) => (k ? back.map.data[first + at] : row ? own.numbers(at)[0] : own.numbers(0)[at]));
        const most = mostOf(shown.numbers), words = { title: of, unit: unit.join(", "), most: figure(most) };
        tables[k].replaceChildren(asTable(text("why.table"), () => numberTable(shown.numbers, shown.h, shown.w, { caption: text(`back.${key}`, words) })));
        maps[k].draw({ ...shown, most, words: text(`back.${key}_words`, words), caption: text(`back.${key}`, words) });
      }
      arrives.body.replaceChildren(...back.parts.map((/** @type {any} */ part) => arrivingPart(drawn, part)), arrivingSum(back, drawn));
      hands.element.hidden = !back.hands.length;
      hands.body.replaceChildren(...back.hands.map((/** @type {any} */ hand) => handedPart(drawn, hand, back.arrives)));
      studio.announce(text("back.says", { name, gradient: figure(back.arrives, 5), class: network.classes[target] ?? target }));
    } catch (error) {
      problem(says, error);
    } finally {
      waiting.end();
    }
    await drawWeight();
  });

  /** The chosen weight: [key, index]; of a layer with weights, the first one until one is chosen. */
  function weight() {
    const [key, index = ""] = state.get("weight").split(":"), { weights } = chosenValue(studio);
    const found = studio.network.values.flatMap((value) => value.weights).find((each) => each.key === key) ?? weights[0];
    if (!found) return null;
    const given = found.key === key ? index.split(".").map(Number) : [];
    return { key: found.key, shape: found.shape, index: found.shape.map((n, axis) => Math.min(Math.max(given[axis] || 0, 0), n - 1)) };
  }

  const drawWeight = newestOnly(async () => {
    const chosen = weight(), { seen, network } = studio;
    ofWeight.element.hidden = !seen || !chosen;
    if (!seen || !chosen) return;
    try {
      const lr = state.number("lr"), optimizer = state.get("optimizer");
      const found = await studio.ask("weight", { image: seen.image, key: chosen.key, index: chosen.index, class_: classOf(studio),
        ...(optimizer && { optimizer }), ...(lr > 0 && { lr }) });
      if (over) return;
      problem(step, null);
      weightStops.forEach((stop) => stop());
      const drawn = { ...context(weightStops = []), value: network.values[found.windows.value] };
      fillPick(chosen, found);
      ofWeight.body.replaceChildren(make("h4", { text: text("weight.gradient") }), ...gradientPart(drawn, found).filter(Boolean),
        make("h4", { text: text("weight.update") }), rules(found), ...updatePart(drawn, found));
    } catch (error) {
      problem(ofWeight.body, error);
    }
  });

  /** @param {{key: string, shape: number[], index: number[]}} chosen @param {any} found */
  function fillPick({ key, shape, index }, found) {
    const weights = studio.network.values.flatMap((value) => value.weights);
    const set = (/** @type {string} */ name, /** @type {number[]} */ at) => state.set({ weight: `${name}:${at.join(".")}` });
    numberInputs(pick, index, shape, shape.length === 4 ? "ocuv" : shape.length === 2 ? "ok" : "o", (at) => set(key, at), make("label", {}, text("weight.key"), make("select", { onchange: (/** @type {any} */ e) => set(e.target.value, []) },
      ...weights.map((each) => make("option", { value: each.key, text: each.key, selected: each.key === key })))));
    pick.append(make("span", { class: "number", text: `= ${figure(found.number, 7)}` }));
  }

  /** @param {any} found */
  function rules({ optimizers, optimizer, update }) {
    const rate = make("input", { type: "number", min: 0, step: "any", value: Number(update.lr.toPrecision(6)), "aria-label": text("weight.lr"), onchange: () => state.set({ lr: rate.value }) });
    return make("div", { class: "tools" }, make("label", {}, text("weight.optimizer"), make("select", { onchange: (/** @type {any} */ e) => state.set({ optimizer: e.target.value, lr: "" }) },
      ...optimizers.map((/** @type {string} */ name) => make("option", { value: name, text: name === "live" ? text("weight.live") : name, selected: name === optimizer })))),
    make("label", {}, text("weight.lr"), rate));
  }

  function furnish() {
    const value = chosenValue(studio), unit = chosenUnit(studio, value);
    const choose = make("label", {}, text("back.value"), make("select", { onchange: (/** @type {any} */ e) => state.set({ value: e.target.value, unit: "" }) },
      ...studio.network.values.map((each) => make("option", { value: each.id, text: each.title, selected: each.id === value.id }))));
    numberInputs(place, unit, value.shape, value.shape.length === 3 ? "cij" : "k", (at) => chooseUnit(studio, value.id, at, "back"), choose);
    place.append(make("label", {}, text("unit.order"), make("select", { onchange: (/** @type {any} */ e) => state.set({ order: e.target.value }) },
      ...[["", "largest"], ["order", "in-order"]].map(([name, key]) => make("option", { value: name, text: text(`unit.${key}`), selected: name === state.get("order") })))));
  }

  draw();
  return {
    update: (changed) => {
      if (changed.has("network")) for (const each of [...stops, ...weightStops]) each(); // rows are of the one before
      if (["class", "network", "seen", "weights"].some((key) => changed.has(key))) stop();
      if (["value", "unit", "class", "network", "seen", "weights", "digits", "order", "theme"].some((key) => changed.has(key))) draw();
      else if (["weight", "optimizer", "lr"].some((key) => changed.has(key))) drawWeight();
      if (changed.has("weight") && state.get("weight")) ofWeight.element.scrollIntoView({ block: "nearest" });
    },
    dispose: () => {
      over = true;
      stop();
      for (const stop of [...stops, ...weightStops]) stop();
    },
  };
}

/** The unit with the largest number of an array. */
function unitOfMost(/** @type {import("../types.js").NDArray} */ { shape, data }) {
  let most = 0;
  for (let k = 1; k < data.length; k++) if (Math.abs(data[k]) > Math.abs(data[most])) most = k;
  return placeOf(most, shape);
}

/**
 * An input for each index, after `first`; the focus stays where it was.
 * @param {HTMLElement} place
 * @param {number[]} index
 * @param {number[]} shape
 * @param {string} letters   Of the indices.
 * @param {(index: number[]) => void} choose
 * @param {HTMLElement} first
 */
function numberInputs(place, index, shape, letters, choose, first) {
  const all = () => [...place.querySelectorAll("select, input")], at = all().indexOf(/** @type {any} */ (document.activeElement));
  place.replaceChildren(first, ...index.map((k, axis) => make("label", {}, letters[axis] ?? "·", make("input", {
    type: "number", min: 0, max: shape[axis] - 1, value: k, "data-axis": axis,
    onchange: (/** @type {any} */ e) => choose(index.map((each, n) => (n === axis ? Math.min(Math.max(Math.round(Number(e.target.value)) || 0, 0), shape[axis] - 1) : each))),
  }))));
  if (at >= 0) /** @type {HTMLElement} */ (all()[at])?.focus();
}
