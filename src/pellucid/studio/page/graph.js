// The network as a graph of volumes: boxes in perspective, in rows that go on below.

import { chosenValue } from "./choice.js";
import { svg } from "./dom.js";
import { placed } from "./graph_places.js";
import { counted, short } from "./text.js";

const LONGEST = 18; // letters of a name below a box
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @typedef {import("./types.js").Value} Value */
/** @typedef {import("./graph_places.js").Box} Box */

/**
 * What is written below a box.
 * @param {Box} box
 * @param {boolean} costs
 * @returns {{words: string, kind: string, value: number}[]}
 */
function lines({ members }, costs) {
  const last = members[members.length - 1], [first] = members;
  const all = [
    { words: tail(first.title), kind: "name", value: last.id },
    { words: last.shape.join("×"), kind: "shape", value: last.id },
    ...members.filter(({ id }) => id > 0).map(({ kind, id }) => ({ words: kind, kind: "member", value: id })),
  ];
  if (!costs) return all;
  const parameters = sum(members, "parameters"), products = sum(members, "products");
  const told = [`[${fieldOf(last)}]`];
  if (products) told.unshift(`× ${short(products)}`);
  if (parameters) told.unshift(`θ ${short(parameters)}`);
  for (const words of told) all.push({ words, kind: "cost", value: last.id });
  return all;
}

/**
 * Draws the graph; a box or a line below it that is clicked is chosen as the value of the state.
 * @param {import("./types.js").Studio} studio
 * @param {{every?: boolean, small?: boolean, width?: number, costs?: boolean}} how   `every`: a box for
 *   each value instead of one for a layer with its normalization and activation.
 */
export function graph(studio, { every = false, small = false, width = Infinity, costs = false } = {}) {
  const { network, state, text } = studio;
  const { boxes, edges, size } = placed(network, every ? "values" : "stages", {
    width, scale: small ? 0.4 : 1, words: small ? () => [] : (box) => lines(box, costs),
  });
  const [wide, high] = size, picture = svg("svg", {
    class: "graph", width: wide, height: high, viewBox: `0 0 ${wide} ${high}`, role: "group",
    "aria-label": text("network.graph", { count: boxes.length }),
  });
  for (const points of edges) picture.append(...arrow(points, small ? 3 : 5));
  const drawn = new Map(boxes.map((box) => [box.id, block(box)]));
  picture.append(...drawn.values());

  /** @param {Box} box */
  function block(box) {
    const { x, y, thick, tall, back, members } = box, right = x + thick;
    const top = y - tall / 2, low = y + tall / 2, up = back * 0.6;
    const face = (/** @type {string} */ name, /** @type {number[][]} */ corners) => svg("polygon", {
      class: name, points: corners.map((corner) => corner.map((n) => n.toFixed(1)).join(",")).join(" "),
    });
    const group = svg("g", {
      class: members.some(({ weights }) => weights.length) ? "box weighted" : "box",
      "data-value": box.id, role: "button", tabindex: -1, "aria-label": inWords(members, text),
      onclick: (/** @type {Event} */ event) => {
        const line = /** @type {SVGElement} */ (event.target).dataset.value;
        state.set({ value: line ?? box.id, unit: "" }, { step: true });
      },
    }, svg("title", { text: inWords(members, text) }));
    group.append(face("front", [[x, top], [right, top], [right, low], [x, low]]));
    if (back > 0) group.append(
      face("top", [[x, top], [x + back, top - up], [right + back, top - up], [right, top]]),
      face("side", [[right, top], [right + back, top - up], [right + back, low - up], [right, low]]));
    box.words.forEach(({ words, kind, value }, k) => group.append(svg("text", {
      class: kind, x: box.left, y: low + 14 + 13 * k, text: words,
      "data-value": kind === "member" ? value : null,
    })));
    return group;
  }

  function mark() {
    const value = chosenValue(studio).id;
    const chosen = boxes.find(({ members }) => members.some(({ id }) => id === value)) ?? boxes[0];
    for (const [id, group] of drawn) {
      group.classList.toggle("chosen", id === chosen.id);
      group.setAttribute("aria-pressed", String(id === chosen.id));
      group.setAttribute("tabindex", id === chosen.id ? "0" : "-1");
      for (const line of group.querySelectorAll("text.member"))
        line.classList.toggle("chosen", Number(line.dataset.value) === value && chosen.members.length > 1);
    }
    return chosen;
  }

  picture.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = boxes.find(({ id }) => drawn.get(id) === event.target);
    if (!here) return;
    if (event.key === "Enter" || event.key === " ") state.set({ value: here.id, unit: "" }, { step: true });
    else {
      const next = { Home: boxes[0], End: boxes[boxes.length - 1] }[event.key] ?? along(event.key, here);
      if (next === undefined) return;
      if (next) {
        drawn.get(here.id).setAttribute("tabindex", "-1");
        drawn.get(next.id).setAttribute("tabindex", "0");
        drawn.get(next.id).focus();
      }
    }
    event.preventDefault();
  });

  /**
   * The box that an arrow key leads to: along an edge, or to the way beside; undefined for other keys.
   * @param {string} key
   * @param {Box} here
   */
  function along(key, here) {
    const [on, side] = /** @type {Record<string, number[]>} */ (KEYS)[key] ?? [];
    if (on === undefined) return undefined;
    const ids = on < 0 ? here.reads : on > 0 ? here.readers : [];
    const found = boxes.filter(({ id, column, lane }) =>
      side ? column === here.column && (lane - here.lane) * side > 0 : ids.includes(id));
    const far = (/** @type {Box} */ { lane, column }) =>
      1000 * Math.abs(lane - here.lane) + Math.abs(column - here.column);
    return found.sort((a, b) => far(a) - far(b))[0] ?? null;
  }

  mark();
  return { element: picture, mark };
}

/**
 * A line with rounded corners and an arrow at its end.
 * @param {number[][]} points
 * @param {number} size   Of the arrow's head.
 */
function arrow(points, size) {
  const [x, y] = points[points.length - 1];
  let path = `M${points[0].join(" ")}`;
  for (let k = 1; k < points.length - 1; k++) {
    const [a, b, c] = points.slice(k - 1, k + 2);
    const toward = (/** @type {number[]} */ to) => {
      const far = Math.hypot(to[0] - b[0], to[1] - b[1]) || 1, r = Math.min(6, far / 2);
      return b.map((n, axis) => (n + ((to[axis] - n) * r) / far).toFixed(1)).join(" ");
    };
    path += `L${toward(a)}Q${b.join(" ")} ${toward(c)}`;
  }
  path += `L${x - size} ${y}`;
  return [
    svg("path", { class: "edge", d: path }),
    svg("path", { class: "head", d: `M${x} ${y}l${-1.6 * size} ${-0.75 * size}v${1.5 * size}z` }),
  ];
}

/** The last parts of a path that is too long to be written. */
function tail(/** @type {string} */ path) {
  if (path.length <= LONGEST) return path;
  const whole = path.slice(1 - LONGEST), dot = whole.indexOf(".");
  return `…${dot < 0 ? whole : whole.slice(dot + 1)}`;
}

/**
 * @param {Value[]} members
 * @param {"parameters" | "products"} what
 */
export const sum = (members, what) => members.reduce((all, each) => all + each[what], 0);

/** The rows and columns of the image that a unit sees. */
export const fieldOf = (/** @type {Value} */ { field: { size, everything } }) =>
  everything ? "∞" : size.join("×");

/**
 * A box in words.
 * @param {Value[]} members
 * @param {import("./types.js").Studio["text"]} text
 */
export function inWords(members, text) {
  const last = members[members.length - 1];
  return text("network.box", {
    name: members[0].title, kinds: members.map(({ kind }) => kind).join(", "), shape: last.shape.join("×"),
    parameters: counted(sum(members, "parameters")), products: counted(sum(members, "products")),
    field: last.field.everything ? text("network.everything") : fieldOf(last),
  });
}
