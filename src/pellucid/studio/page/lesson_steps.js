// The steps of a lesson: what the page shows at each, for the network of the moment.

/**
 * @typedef {{text: Record<string, string | string[]>, state?: Record<string, string | number>, look?: string}} Step
 * @typedef {{name: string, title: Record<string, string>, trained: boolean, steps: Step[]}} Lesson
 */

/**
 * Returns what the steps up to step k have set; "" for what only later steps set.
 * @param {Lesson} lesson
 * @param {number} k   From 1 on.
 * @returns {Record<string, string>}
 */
export function stateAt(lesson, k) {
  /** @type {Record<string, string>} */
  const found = {};
  lesson.steps.forEach(({ state = {} }, at) => {
    for (const [key, value] of Object.entries(state)) {
      if (at < k) found[key] = String(value);
      else found[key] ??= "";
    }
  });
  return found;
}

/**
 * Returns the number of a value that may be named by its kind: "Conv2d:1", "MaxPool2d:1|AvgPool2d:1".
 * @param {import("./types.js").Network} network
 * @param {string} named
 * @returns {number} NaN if the network has none.
 */
export function valueOf(network, named) {
  if (/^\d+$/.test(named)) return network.values[Number(named)] ? Number(named) : NaN;
  for (const each of named.split("|")) {
    const [kind, place] = each.split(":"), which = Number(place);
    const alike = network.values.filter((value) => value.kind === kind);
    const found = alike[which > 0 ? which - 1 : alike.length + which];
    if (found) return found.id;
  }
  return NaN;
}

/**
 * Returns the state of step k with the numbers that this network has for what the lesson names.
 * @param {Lesson} lesson
 * @param {number} k
 * @param {import("./types.js").Studio} studio
 * @returns {Promise<Record<string, string | number>>}
 */
export async function resolved(lesson, k, studio) {
  const { value = "", unit = "", ...rest } = stateAt(lesson, k);
  /** @type {Record<string, string | number>} */
  const state = rest;
  if (!value) return { ...state, value, unit };
  const number = valueOf(studio.network, value);
  if (Number.isNaN(number)) return state; // the panel says what is missing
  const { shape } = studio.network.values[number];
  const middle = () => shape.map((n) => n >> 1);
  const strongest = unit === "strongest" && await strongestOf(studio, number).catch(middle);
  const places = strongest || unit.split(".").map((place, axis) =>
    place === "middle" ? shape[axis] >> 1 : place === "last" ? shape[axis] - 1 : Math.min(Number(place), shape[axis] - 1));
  const fits = unit && places.length === shape.length && places.every(Number.isFinite);
  return { ...state, value: number, unit: fits ? places.join(".") : unit && middle().join(".") };
}

/**
 * @param {import("./types.js").Studio} studio
 * @param {number} value
 * @returns {Promise<number[]>} the unit with the largest number
 */
async function strongestOf(studio, value) {
  for (let waited = 0; !studio.seen && waited < 40; waited++) await new Promise((done) => setTimeout(done, 50));
  const { maps } = await studio.ask("maps", { image: studio.seen?.image ?? "", value });
  let at = maps.data.indexOf(Math.max(...[...maps.data].map((x) => (Number.isNaN(x) ? -Infinity : x))));
  return [...maps.shape].reverse().map((n) => {
    const index = at % n;
    at = Math.floor(at / n);
    return index;
  }).reverse();
}

/**
 * Returns text as nodes: *emphasis* and `formulas`; a paragraph that is all formula is set apart.
 * @param {string | string[]} words   A paragraph each.
 * @returns {HTMLElement[]}
 */
export function paragraphs(words) {
  return (Array.isArray(words) ? words : words.split(/\n\n+/)).map((text) => {
    const p = document.createElement("p");
    if (/^`[^`]*`$/.test(text)) p.className = "formula";
    for (const part of text.split(/(\*[^*`]+\*|`[^`]+`)/)) {
      const marked = part.length > 2 && { "*": "em", "`": "code" }[part[0]];
      if (!marked) p.append(part);
      else p.append(Object.assign(document.createElement(marked), { textContent: part.slice(1, -1) }));
    }
    return p;
  });
}
