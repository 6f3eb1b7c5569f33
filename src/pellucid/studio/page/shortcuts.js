// The keys of the whole page, and the dialog that lists them.

import { make } from "./dom.js";

/** Where letters are written, or belong to a dialog: keys pressed there are no shortcuts. */
const WRITING =
  "input:not([type=checkbox], [type=radio], [type=range]), textarea, select, dialog, [contenteditable]";

/**
 * Listens to keys without modifiers; returns what ends that.
 * @param {Document | HTMLElement} page   Where they are pressed.
 * @param {(key: string) => (() => void) | undefined} action   What a key does at the moment.
 */
export function listen(page, action) {
  const pressed = (/** @type {any} */ event) => {
    const target = /** @type {Element} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target.closest?.(WRITING)) return;
    const run = action(event.key);
    if (!run) return;
    event.preventDefault();
    run();
  };
  page.addEventListener("keydown", pressed);
  return () => page.removeEventListener("keydown", pressed);
}

/**
 * Opens the list of the keys.
 * @param {HTMLElement} page
 * @param {import("./types.js").Studio["text"]} text
 */
export function showKeys(page, text) {
  const list = make("dl", { class: "keys" });
  const row = (/** @type {string[]} */ keys, /** @type {string} */ words) => list.append(
    make("dt", {}, ...keys.map((key) => make("kbd", { text: key }))), make("dd", { text: words }));
  row(["1 – 9"], text("shell.key_views"));
  row(["[", "]"], text("shell.key_values"));
  row(["d"], text("shell.key_draw"));
  row(["←", "→", "↑", "↓"], text("shell.key_arrows"));
  row(["Enter"], text("shell.key_enter"));
  row(["?"], text("shell.key_help"));
  const close = make("button", {
    type: "button", class: "primary", text: text("shell.close"), onclick: () => dialog.close(),
  });
  const dialog = make("dialog", { "aria-label": text("shell.keys") },
    make("h2", { text: text("shell.keys") }), list, close);
  dialog.addEventListener("close", () => dialog.remove());
  page.append(dialog);
  dialog.showModal();
}
