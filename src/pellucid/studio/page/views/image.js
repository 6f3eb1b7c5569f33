// The image that the network sees, and its answer.

import { make } from "../dom.js";
import { photograph } from "../colours.js";

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const canvas = make("canvas", { role: "img", "aria-label": studio.text("image.seen") });
  const file = make("input", { type: "file", accept: "image/*", "aria-label": studio.text("image.file"), onchange: take });
  const classes = make("ol", { class: "classes" });
  element.append(canvas, file, classes);

  async function take() {
    const chosen = file.files[0];
    if (chosen) await studio.see({ file: { shape: [chosen.size], data: new Uint8Array(await chosen.arrayBuffer()) } });
  }
  function draw() {
    if (!studio.seen) return;
    const { numbers, probabilities } = studio.seen, [, h, w] = numbers.shape;
    Object.assign(canvas, { width: w, height: h });
    canvas.getContext("2d").putImageData(photograph(numbers, studio.network.range), 0, 0);
    classes.replaceChildren(...studio.network.classes.map((name, k) =>
      make("li", { text: `${name} ${(100 * (probabilities?.data[k] ?? 0)).toFixed(1)} %` })));
  }
  const first = studio.state.get("image").match(/^(\w+):(\d+)$/);
  if (first) studio.see({ part: first[1], index: Number(first[2]) });
  return { update: (changed) => { if (changed.has("seen")) draw(); }, dispose: () => {} };
}
