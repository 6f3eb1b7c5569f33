// What every view says in the same way: a problem in a sentence, and how far a long question is.

import { make } from "./dom.js";

/**
 * Shows in `element` what went wrong, in place of what it said before; null takes that away. An
 * answer that was no longer wanted is not a problem.
 * @param {Element} element
 * @param {any} error
 */
export function problem(element, error) {
  element.querySelectorAll(":scope > .problem").forEach((each) => each.remove());
  if (!error || error.kind === "cancelled" || error.kind === "lost" || error.name === "AbortError") return;
  element.prepend(make("p", { class: "problem", role: "alert", text: error.message ?? error }));
}

/**
 * Shows in `element` that a question is being answered, once it takes long; `options` go with the
 * question, and `end` must be called in any case:
 *
 *     const waiting = progress(element, words, studio);
 *     try { show(await studio.ask("patches", args, waiting.options)); }
 *     catch (error) { problem(element, error); }
 *     finally { waiting.end(); }
 * @param {Element} element
 * @param {string} words
 * @param {import("./types.js").Studio} studio
 */
export function progress(element, words, studio) {
  const stop = new AbortController(), bar = make("progress", { "aria-label": words });
  const cancel = () => stop.abort();
  const line = make("div", { class: "waiting" }, words, bar,
    make("button", { type: "button", class: "quiet", text: studio.text("shell.cancel"), onclick: cancel }));
  const late = setTimeout(() => element.prepend(line), 200);
  return {
    options: {
      signal: stop.signal,
      progress: (/** @type {number} */ done, /** @type {number} */ of) => {
        Object.assign(bar, { max: of, value: done });
      },
    },
    cancel,
    end: () => { clearTimeout(late); line.remove(); },
  };
}
