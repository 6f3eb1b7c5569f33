// Which value and which unit are chosen, and how another one is.

import { make } from "./dom.js";
import { isUnit, middleUnit } from "./layout.js";

/** @typedef {import("./types.js").Studio} Studio */
/** @typedef {import("./types.js").Value} Value */

/** The chosen value; the first layer's until one is chosen. */
export function chosenValue(/** @type {Studio} */ studio) {
  const { values } = studio.network;
  return values[studio.state.number("value")] ?? values[Math.min(1, values.length - 1)];
}

/** The chosen unit of a value; one in the middle until one is chosen. */
export function chosenUnit(/** @type {Studio} */ studio, /** @type {Value} */ value) {
  const unit = studio.state.unit();
  return unit && isUnit(unit, value.shape) ? unit : middleUnit(value.shape);
}

/**
 * @param {Studio} studio
 * @param {number} value
 * @param {number[]} unit
 * @param {string} [view]
 */
export function chooseUnit(studio, value, unit, view = "unit") {
  studio.state.set({ value, unit: unit.join("."), view }, { step: true });
}

/** A unit as it is written: "conv1[3, 0, 12]". */
export const unitName = (/** @type {Value} */ value, /** @type {number[]} */ unit) => `${value.title}[${unit.join(", ")}]`;

/**
 * A number that leads to the unit that it is of.
 * @param {Studio} studio
 * @param {string} words
 * @param {number} value
 * @param {number[]} unit
 */
export function unitLink(studio, words, value, unit) {
  return make("button", {
    type: "button", class: "link number", text: words, title: unitName(studio.network.values[value], unit),
    onclick: () => chooseUnit(studio, value, unit),
  });
}

/**
 * Opens a number of one of a layer's arrays in the view of the way back, where there is one; null where
 * there is none, or where the array is not trained.
 * @param {Studio} studio
 * @param {Value} value
 * @param {string | null | undefined} own   The layer's own name of the array: "weight".
 */
export function weightChooser(studio, value, own) {
  const found = value.weights.find(({ key }) => key === own || key.endsWith(`.${own}`));
  if (!own || !found || !studio.network.can.includes("weight")) return null;
  return (/** @type {number[]} */ index) =>
    studio.state.set({ view: "back", value: value.id, weight: `${found.key}:${index.join(".")}` }, { step: true });
}
