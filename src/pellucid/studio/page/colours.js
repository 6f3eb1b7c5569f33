// Numbers as colours: zero is the colour of paper, negative numbers blue, positive ones orange.
// Blue and orange differ for every kind of colour vision, and both darken evenly with the size of
// the number (in the light; on dark ground they brighten), so that the sign survives in grey print.

const LIGHT = { zero: [247, 247, 245], minus: [[146, 190, 222], [28, 98, 168], [6, 40, 96]], plus: [[248, 190, 134], [206, 92, 10], [110, 40, 0]] };
const DARK = { zero: [30, 32, 36], minus: [[38, 84, 138], [88, 160, 226], [204, 230, 255]], plus: [[128, 66, 16], [236, 140, 52], [255, 228, 196]] };

/** @param {number[][]} stops @returns {(t: number) => number[]} */
const through = (stops) => (t) => {
  const place = Math.min(Math.max(t, 0), 1) * (stops.length - 1), k = Math.min(Math.floor(place), stops.length - 2);
  return stops[k].map((from, c) => Math.round(from + (stops[k + 1][c] - from) * (place - k)));
};

/**
 * A table of 511 colours as the pixels of a canvas: entry 255 is zero, 0 is -most, 510 is +most.
 * @param {boolean} dark
 * @returns {Uint32Array}
 */
export function signedColours(dark) {
  const { zero, minus, plus } = dark ? DARK : LIGHT, table = new Uint8ClampedArray(511 * 4);
  const down = through([zero, ...minus]), up = through([zero, ...plus]);
  for (let k = 0; k < 511; k++) table.set([...(k < 255 ? down((255 - k) / 255) : up((k - 255) / 255)), 255], 4 * k);
  return new Uint32Array(table.buffer);
}

/** Whether the page is dark at the moment. */
export const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

/**
 * Red, green and blue of a number's colour; what is no number has that of zero.
 * @type {(x: number, most: number, dark: boolean) => number[]}
 */
const shade = (x, most, dark) => {
  const { zero, minus, plus } = dark ? DARK : LIGHT;
  return through([zero, ...(x < 0 ? minus : plus)])(most > 0 ? Math.abs(x) / most || 0 : 0);
};

/**
 * The colour of a number as CSS has it.
 * @param {number} x
 * @param {number} most
 */
export const cssColour = (x, most, dark = isDark()) => `rgb(${shade(x, most, dark).join(", ")})`;

/**
 * The colour of letters that are read on the colour of a number: black or white, whichever contrasts more.
 * @param {number} x
 * @param {number} most
 */
export function inkOn(x, most, dark = isDark()) {
  const [r, g, b] = shade(x, most, dark).map((part) => (part / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 0.18 ? "#fff" : "#000";
}

/**
 * Paints a map of numbers, one pixel each.
 * @param {ArrayLike<number>} numbers
 * @param {number} h
 * @param {number} w
 * @param {number} most   The number with the strongest colour.
 * @param {Uint32Array} table
 * @returns {ImageData}
 */
export function signedImage(numbers, h, w, most, table) {
  const image = new ImageData(w, h), pixels = new Uint32Array(image.data.buffer), scale = most > 0 ? 255 / most : 0;
  for (let k = 0; k < h * w; k++) pixels[k] = table[255 + (Math.max(-255, Math.min(255, Math.round(numbers[k] * scale))) || 0)];
  return image;
}

/**
 * Paints an image of the network as people see it: one channel grey, three in colour.
 * @param {import("./types.js").NDArray} numbers (C, H, W)
 * @param {number[]} range of black and white
 * @returns {ImageData}
 */
export function photograph({ shape: [c, h, w], data }, [low, high]) {
  const image = new ImageData(w, h), n = h * w, scale = 255 / (high - low || 1), three = c === 3;
  for (let k = 0; k < n; k++) {
    for (let b = 0; b < 3; b++) image.data[4 * k + b] = Math.round((data[k + (three ? b * n : 0)] - low) * scale);
    image.data[4 * k + 3] = 255;
  }
  return image;
}
