// The front end of a cell: the studio's views, with a model object that asks the notebook's kernel.

import { pack, unpack } from "../page/envelope.js";
import { open } from "../page/shell.js";
import { learn } from "../page/text.js";

/**
 * What anywidget gives.
 * @typedef {object} Widget
 * @property {(name: string) => any} get
 * @property {(event: string, handler: (content: any, buffers: DataView[]) => void) => void} on
 * @property {(event: string, handler: (content: any, buffers: DataView[]) => void) => void} off
 * @property {(content: any, callbacks?: any, buffers?: ArrayBuffer[]) => void} send
 */

/** An answer that is an error, as the server's. */
class AskError extends Error {
  /**
   * @param {string} message
   * @param {string} kind
   */
  constructor(message, kind) {
    super(message);
    this.kind = kind;
  }
}

/** @param {Widget} widget */
function kernelModel(widget) {
  /** @type {Map<string, {resolve: (answer: any) => void, reject: (error: Error) => void, progress?: (done: number, of: number) => void}>} */
  const waiting = new Map();
  const own = Math.random().toString(36).slice(2); // a widget may be shown in several cells
  let questions = 0;
  const hear = (/** @type {any} */ { id, done, of, error, kind }, /** @type {DataView[]} */ buffers) => {
    const asked = waiting.get(id);
    if (!asked) return;
    if (done !== undefined) return asked.progress?.(done, of);
    waiting.delete(id);
    if (error !== undefined) return asked.reject(new AskError(error, kind));
    const { buffer, byteOffset, byteLength } = buffers[0];
    asked.resolve(unpack(/** @type {ArrayBuffer} */ (buffer.slice(byteOffset, byteOffset + byteLength))));
  };
  widget.on("msg:custom", hear);
  /** @type {import("../page/types.js").Model} */
  const model = {
    ask: (name, args = {}, { progress } = {}) => new Promise((resolve, reject) => {
      const id = `${own}-${++questions}`, { buffer } = pack(args);
      waiting.set(id, { resolve, reject, progress });
      widget.send({ id, ask: name }, undefined, [/** @type {ArrayBuffer} */ (buffer)]);
    }),
    on: () => () => {}, // nothing happens in a kernel by itself
  };
  return { model, end: () => widget.off("msg:custom", hear) };
}

/**
 * Shows the views in a cell; returns what takes them away.
 * @param {{model: Widget, el: HTMLElement}} cell
 */
export async function render({ model: widget, el }) {
  for (const [language, texts] of Object.entries(widget.get("texts"))) learn(language, /** @type {any} */ (texts));
  const inside = document.createElement("div"), { model, end } = kernelModel(widget);
  el.classList.add("pellucid-studio");
  el.append(inside);
  const { dispose } = await open(inside, model, { inAddress: false, language: widget.get("language") || undefined });
  return () => { dispose(); end(); };
}
