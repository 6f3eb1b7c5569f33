// Small pictures of a data set, to be chosen from.

import { photograph } from "./colours.js";
import { make } from "./dom.js";

/**
 * @param {import("./types.js").NDArray} pictures   Bytes (n, C, h, w).
 * @param {(k: number) => {name: string, below: string}} words   What the k-th one is called.
 * @param {(k: number) => void} choose
 * @returns {HTMLElement[]} items of a list of class "cards"
 */
export function pictureCards({ shape: [n, c, h, w], data }, words, choose) {
  return Array.from({ length: n }, (_, k) => {
    const canvas = make("canvas", { width: w, height: h, "aria-hidden": true }), { name, below } = words(k);
    const picture = { shape: [c, h, w], data: data.subarray(k * c * h * w, (k + 1) * c * h * w) };
    canvas.getContext("2d").putImageData(photograph(picture, [0, 255]), 0, 0);
    return make("li", {}, make("button", { type: "button", class: "card", "aria-label": name, onclick: () => choose(k) },
      canvas, make("span", { text: below })));
  });
}
