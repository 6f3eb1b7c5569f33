// The feature maps of a value.

import { make } from "../dom.js";
import { isDark, signedColours, signedImage } from "../colours.js";

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const sheet = make("div", { class: "sheet" });
  element.append(sheet);
  async function draw() {
    if (!studio.seen) return;
    const value = studio.state.number("value") || 1;
    const found = await studio.ask("maps", { image: studio.seen.image, value });
    const [n, h = 1, w = 1] = found.maps.shape, most = Math.max(Math.abs(found.low), Math.abs(found.high));
    sheet.replaceChildren(...Array.from({ length: n }, (_, k) => {
      const canvas = make("canvas", { width: w, height: h, role: "img", "aria-label": `${k}` });
      canvas.getContext("2d").putImageData(signedImage(found.maps.data.subarray(k * h * w, (k + 1) * h * w), h, w, most, signedColours(isDark())), 0, 0);
      return canvas;
    }));
  }
  draw();
  return { update: draw, dispose: () => {} };
}
