// Keeps the view of the moment as SVG or PNG, and the network with its views as one file.

import { chosenValue } from "../choice.js";
import { make } from "../dom.js";
import { asPng, asSvg, download, drawn } from "../keep.js";
import { problem, progress } from "../notices.js";

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const { state } = studio, says = make("div");

  /** The name of a file: network, view, value and unit. */
  function named() {
    const { network } = studio, value = state.get("value") && chosenValue(studio);
    const parts = [network.name, state.get("view"), value && (value.path || value.kind), value && state.get("unit").replaceAll(".", "-")];
    return parts.filter(Boolean).join(" ").replace(/[^\p{L}\p{N}.]+/gu, "-");
  }

  /** @param {"svg" | "png"} kind */
  async function keep(kind) {
    const view = /** @type {HTMLElement} */ (element.closest(".studio")?.querySelector("main"));
    try {
      const drawing = drawn(view, document.title), blob = kind === "svg" ? asSvg(drawing) : await asPng(drawing);
      download(blob, `${named()}.${kind}`);
      problem(says, null);
      studio.announce(studio.text("keep.done", { name: `${named()}.${kind}` }));
    } catch (error) {
      problem(says, error);
    }
  }

  async function keepAll() {
    const waiting = progress(says, studio.text("keep.writing"), studio);
    try {
      const { file, name } = await studio.ask("keep/file", { language: studio.text("language") }, waiting.options);
      download(new Blob([file.data], { type: "text/html" }), name);
      problem(says, null);
    } catch (error) {
      problem(says, error);
    } finally {
      waiting.end();
    }
  }

  function draw() {
    const { text, network } = studio;
    const button = (/** @type {string} */ key, /** @type {() => void} */ onclick) =>
      make("button", { type: "button", class: "quiet", text: text(`keep.${key}`), title: text(`keep.${key}_title`), onclick });
    element.replaceChildren(make("section", { "aria-label": text("keep.title") },
      make("span", { class: "note", text: text("keep.title") }), button("svg", () => keep("svg")), button("png", () => keep("png")),
      network.can.includes("keep/file") && button("file", keepAll), says));
  }

  draw();
  return { update: (changed) => { if (changed.has("lang") || changed.has("network")) draw(); }, dispose: () => {} };
}
