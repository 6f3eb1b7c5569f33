// The maps of all channels of a value, as rows that are asked for and drawn only where they are seen.

import { make } from "./dom.js";
import { chosenValue } from "./choice.js";
import { STEPS } from "./grids.js";
import { askMaps } from "./layout.js";
import { lazily } from "./lazy.js";
import { GAP, LETTERS, arranged, paintRow } from "./map_row.js";

const TOGETHER = 1 << 16; // numbers that are asked for at once
const KEPT = 1 << 22; // numbers: 16 MB
const MOMENT = 60; // milliseconds that a row is to be seen before it is asked for

/**
 * `choose` and `read` are told the channel, row and column; `range` the smallest and largest number.
 * @typedef {{choose: (c: number, i: number, j: number) => void,
 *   read: (c: number, i: number, j: number, x: number | undefined) => void,
 *   range: (low: number, high: number) => void, problem: (error: any) => void}} Heard
 * @typedef {Awaited<ReturnType<typeof askMaps>>} Maps
 */

export class MapSheet {
  /**
   * @param {import("./types.js").Studio} studio
   * @param {Heard} heard
   */
  constructor(studio, heard) {
    this.studio = studio;
    this.heard = heard;
    this.element = make("div", { class: "sheet", tabindex: 0, role: "group" });
    this.laid = arranged({ value: chosenValue(studio), tile: 80, own: false, under: null, unit: null }, 1);
    /** @type {Map<number, Promise<Maps>>} Pieces of `this.piece` channels. */
    this.asked = new Map();
    /** @type {Map<number, Maps>} Those that have come. */
    this.known = new Map();
    /** @type {Map<number, HTMLCanvasElement>} */
    this.visible = new Map();
    this.lazy = lazily();
    /** @type {import("./map_row.js").Cursor} */
    this.cursor = { c: 0, i: 0, j: 0, inside: false };
    this.piece = 1;
    this.round = 0;
    this.drawing = false;
    this.listen();
  }

  /** @param {import("./map_row.js").Shown} shown */
  show(shown) {
    this.laid = arranged(shown, this.element.clientWidth);
    const { lay, high, columns } = this.laid;
    this.piece = Math.max(1, Math.min(256, Math.floor(TOGETHER / (lay.h * lay.w))));
    this.cursor.c = Math.min(this.cursor.c, lay.channels - 1);
    this.lazy.stop();
    this.lazy = lazily();
    this.visible.clear();
    this.forget();
    this.element.replaceChildren(...Array.from({ length: Math.ceil(lay.channels / columns) }, (_, r) => {
      const place = make("div", { class: "sheet-row" });
      place.style.height = `${high + LETTERS + GAP}px`;
      this.lazy.watch(place, () => this.fill(r, place), () => { this.visible.delete(r); place.replaceChildren(); });
      return place;
    }));
  }

  /** Asks for all numbers again: another image, or other weights. What is drawn stays until they come. */
  async refresh() {
    this.forget();
    if (this.drawing) return; // the one at work begins once more
    this.drawing = true;
    for (let round = -1; round !== this.round;) {
      round = this.round;
      await Promise.all([...this.visible].map(([r, canvas]) => this.draw(r, canvas)));
    }
    this.drawing = false;
  }

  forget() {
    this.round++;
    this.asked.clear();
    this.known.clear();
  }

  dispose() {
    this.lazy.stop();
  }

  // Rows -----------------------------------------------------------------------------------------

  /**
   * @param {number} r
   * @param {HTMLElement} place
   */
  fill(r, place) {
    const [first, last] = this.channels(r), known = this.known.has(Math.floor(first / this.piece));
    const canvas = make("canvas", { role: "img", "aria-label": `${this.laid.shown.value.title} ${first}–${last - 1}` });
    place.replaceChildren(canvas);
    this.visible.set(r, canvas);
    if (known) this.draw(r, canvas);
    else setTimeout(() => { if (this.visible.get(r) === canvas) this.draw(r, canvas); }, MOMENT);
  }

  /** The first channel of a row, and the one after its last. */
  channels(/** @type {number} */ r) {
    const { columns, lay } = this.laid;
    return [r * columns, Math.min((r + 1) * columns, lay.channels)];
  }

  /**
   * @param {number} r
   * @param {HTMLCanvasElement} canvas
   */
  async draw(r, canvas) {
    const [first, last] = this.channels(r), pieces = [], { round } = this;
    for (let p = Math.floor(first / this.piece); p * this.piece < last; p++) pieces.push(this.ask(p));
    try {
      await Promise.all(pieces);
      if (round === this.round && this.visible.get(r) === canvas) this.paint(r, canvas);
    } catch (error) {
      if (round === this.round) this.heard.problem(error);
    }
  }

  /**
   * @param {number} r
   * @param {HTMLCanvasElement} canvas
   */
  paint(r, canvas) {
    const [first, last] = this.channels(r), focused = document.activeElement === this.element;
    const channels = Array.from({ length: last - first }, (_, k) => this.channel(first + k));
    paintRow(canvas, this.laid, first, channels, focused ? this.cursor : null);
  }

  /**
   * Asks for a piece, unless it is known or on its way.
   * @param {number} p
   */
  async ask(p) {
    const { shown, lay } = this.laid, round = this.round;
    const asked = this.asked.get(p) ?? askMaps(this.studio, shown.value.id, p * this.piece, this.piece);
    this.asked.set(p, asked);
    if (this.asked.size * this.piece * lay.h * lay.w > KEPT) {
      const [oldest] = this.asked.keys();
      this.asked.delete(oldest);
      this.known.delete(oldest);
    }
    const found = await asked;
    if (round !== this.round) return;
    this.known.set(p, found);
    this.heard.range(found.low, found.high);
  }

  /** The numbers of a channel, if they have come. */
  channel(/** @type {number} */ c) {
    const found = this.known.get(Math.floor(c / this.piece));
    return found && { numbers: found.numbers(c % this.piece), most: Math.max(-found.low, found.high, 0) };
  }

  // Mouse and keys -------------------------------------------------------------------------------

  listen() {
    const on = (/** @type {string} */ name, /** @type {(e: any) => void} */ work) => this.element.addEventListener(name, work);
    on("mousemove", (e) => { const to = this.at(e); if (to) this.tell(to); });
    on("click", (e) => { const to = this.at(e); if (to) this.heard.choose(to.c, to.i, to.j); });
    on("keydown", (e) => this.key(e));
    on("blur", () => this.repaint(this.cursor.c));
    on("focus", () => {
      this.repaint(this.cursor.c);
      this.tell(this.cursor);
    });
  }

  /** The unit under the mouse. */
  at(/** @type {MouseEvent} */ e) {
    const entry = [...this.visible].find(([, canvas]) => canvas === e.target);
    if (!entry) return null;
    const { lay, step, wide, high, columns } = this.laid, box = entry[1].getBoundingClientRect();
    const x = e.clientX - box.left, n = Math.floor(x / step), c = entry[0] * columns + n;
    const i = Math.floor((e.clientY - box.top) / high * lay.h), j = Math.floor((x - n * step) / wide * lay.w);
    return c < lay.channels && i >= 0 && i < lay.h && j < lay.w ? { c, i, j } : null;
  }

  tell(/** @type {{c: number, i: number, j: number}} */ { c, i, j }) {
    this.heard.read(c, i, j, this.channel(c)?.numbers[i * this.laid.lay.w + j]);
  }

  repaint(/** @type {number} */ c) {
    const r = Math.floor(c / this.laid.columns), canvas = this.visible.get(r);
    if (canvas) this.paint(r, canvas);
  }

  key(/** @type {KeyboardEvent} */ e) {
    const { lay, columns } = this.laid, at = this.cursor, before = at.c;
    const [down, across] = STEPS[e.key] ?? [0, 0];
    if (e.key === "Enter" && (at.inside || lay.row)) this.heard.choose(at.c, at.i, at.j);
    else if (e.key === "Enter") at.inside = true;
    else if (e.key === "Escape" && at.inside) at.inside = false;
    else if (!down && !across) return;
    else if (at.inside) {
      at.i = Math.min(Math.max(at.i + down, 0), lay.h - 1);
      at.j = Math.min(Math.max(at.j + across, 0), lay.w - 1);
    } else {
      const c = at.c + across + down * columns;
      if (c >= 0 && c < lay.channels) at.c = c;
    }
    e.preventDefault();
    e.stopPropagation();
    this.element.children[Math.floor(at.c / columns)]?.scrollIntoView({ block: "nearest" });
    this.repaint(before);
    this.repaint(at.c);
    this.tell(at);
  }
}
