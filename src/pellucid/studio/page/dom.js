// Elements without a framework.

/**
 * Makes an element. Attributes that are functions listen to events (`onclick`); `class`, `text` and
 * `data-...` are what they say; null and false are left out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | false | undefined)} inside
 * @returns {any}
 */
export function make(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  furnish(element, attributes, inside);
  return element;
}

/**
 * Makes an SVG element, as `make` does.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | false | undefined)} inside
 * @returns {any}
 */
export function svg(tag, attributes = {}, ...inside) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  furnish(element, attributes, inside);
  return element;
}

/**
 * @param {Element} element
 * @param {Record<string, any>} attributes
 * @param {any[]} inside
 */
function furnish(element, attributes, inside) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...inside.filter((each) => each !== null && each !== undefined && each !== false));
}

/** Makes a canvas sharp on this screen, and returns its context in CSS pixels. */
export function drawingOn(/** @type {HTMLCanvasElement} */ canvas, /** @type {number} */ width, /** @type {number} */ height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(ratio, ratio);
  return context;
}

/** The number nearest to x from `low` to `high`. */
export const within = (/** @type {number} */ x, /** @type {number} */ low, /** @type {number} */ high) =>
  Math.min(Math.max(x, low), high);

/** Calls a function with the last arguments, at most once a frame. */
export function eachFrame(/** @type {(...args: any[]) => void} */ work) {
  let waiting = false;
  /** @type {any[]} */
  let last = [];
  return (/** @type {any[]} */ ...args) => {
    last = args;
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; work(...last); });
  };
}

export const stillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Lets a question be asked again and again: one at a time, and after it the newest that waits.
 * @template {any[]} A
 * @param {(...args: A) => Promise<void>} work
 * @returns {(...args: A) => Promise<void>}
 */
export function newestOnly(work) {
  let busy = false;
  /** @type {A | null} */
  let waiting = null;
  return async (...args) => {
    waiting = args;
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const next = /** @type {A} */ (waiting);
        waiting = null;
        await work(...next);
      }
    } finally {
      busy = false;
    }
  };
}
