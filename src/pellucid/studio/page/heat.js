// A map of relevance over an image: orange where it speaks for a class, blue where it speaks against.

import { isDark, photograph, signedColours } from "./colours.js";
import { drawingOn, make } from "./dom.js";

const FADED = 0.5, STRONG = 0.85; // opacity of the image, and of the strongest number over it
const TONE = 170; // of 255: the colour of all numbers, which differ in opacity

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("./types.js").NDArray} image   (C, H, W)
 * @param {number[]} range   Of black and white.
 * @param {{map: import("./types.js").NDArray, most: number, smooth: boolean, size: number}} heat
 *   `map` (h, w) lies over the whole image, however fine it is.
 */
export function drawHeat(canvas, image, range, { map, most, smooth, size }) {
  const [, h, w] = image.shape, scale = size / Math.max(h, w);
  const context = drawingOn(canvas, w * scale, h * scale);
  context.globalAlpha = FADED;
  lay(context, grey(photograph(image, range)), w * scale, h * scale, scale < 1);
  context.globalAlpha = 1;
  lay(context, tinted(map, most), w * scale, h * scale, smooth);
}

/** A bar of the colours of numbers from `low` to `high`. */
export function heatBar(/** @type {number} */ low, /** @type {number} */ high) {
  const canvas = make("canvas", { "aria-hidden": true }), n = 64, most = Math.max(Math.abs(low), Math.abs(high));
  const data = Float32Array.from({ length: n }, (_, k) => low + ((high - low) * k) / (n - 1));
  lay(drawingOn(canvas, 96, 10), tinted({ shape: [1, n], data }, most), 96, 10, true);
  return canvas;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {ImageData} pixels
 * @param {number} w
 * @param {number} h
 * @param {boolean} smooth
 */
function lay(context, pixels, w, h, smooth) {
  const sheet = make("canvas", { width: pixels.width, height: pixels.height });
  sheet.getContext("2d").putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = "high";
  context.drawImage(sheet, 0, 0, w, h);
}

/** @param {ImageData} image */
function grey(image) {
  const { data } = image;
  for (let k = 0; k < data.length; k += 4)
    data[k] = data[k + 1] = data[k + 2] = 0.299 * data[k] + 0.587 * data[k + 1] + 0.114 * data[k + 2];
  return image;
}

/**
 * @param {import("./types.js").NDArray} map
 * @param {number} most
 */
function tinted({ shape: [h, w], data }, most) {
  const image = new ImageData(w, h), pixels = new Uint32Array(image.data.buffer), table = signedColours(isDark());
  for (let k = 0; k < h * w; k++) {
    pixels[k] = table[255 + Math.sign(data[k]) * TONE];
    image.data[4 * k + 3] = most > 0 ? 255 * STRONG * Math.min(1, Math.abs(data[k]) / most) : 0;
  }
  return image;
}
