// A view as a picture: what the browser has laid out becomes SVG that needs nothing else, and that
// SVG a PNG. Text stays text; canvases become images in the file.

import { svg } from "./dom.js";

/** What is not part of the picture: controls, and what is there only for those who listen. */
const LEFT_OUT = ".tools, .spoken, .problem, .waiting, details:not([open]), summary, [hidden]";
/** What an element of SVG has by style sheets. */
const DRAWN = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "opacity",
  "font-family", "font-size", "font-weight", "font-style", "text-anchor", "dominant-baseline", "visibility", "display"];
const MARGIN = 16;

/**
 * Draws an element as SVG, as it looks now; of what scrolls, the part in sight.
 * @param {HTMLElement} element
 * @param {string} title
 * @returns {SVGSVGElement}
 */
export function drawn(element, title) {
  const frame = element.getBoundingClientRect(), defs = svg("defs"), sheet = svg("g");
  const ground = getComputedStyle(/** @type {Element} */ (element.closest(".studio") ?? element)).backgroundColor;
  const measured = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
  let bottom = 0, clips = 0;

  /** @param {DOMRect} rect */
  const placed = ({ left, top, width, height }) => {
    bottom = Math.max(bottom, top - frame.top + height);
    return { x: round(left - frame.left), y: round(top - frame.top), width: round(width), height: round(height) };
  };

  /** @param {Element} node @param {Element} into */
  function visit(node, into) {
    if (node.matches(LEFT_OUT)) return;
    const style = getComputedStyle(node), rect = node.getBoundingClientRect();
    if (style.display === "none" || style.visibility === "hidden") return;
    if (style.display !== "contents" && rect.width && rect.height) {
      if (node instanceof SVGSVGElement) return into.append(inlined(node, placed(rect)));
      if (node instanceof HTMLCanvasElement)
        return into.append(svg("image", { ...placed(rect), href: node.toDataURL(), preserveAspectRatio: "none", "image-rendering": "pixelated" }));
      box(style, placed(rect), into);
      if (node instanceof HTMLSelectElement || node instanceof HTMLInputElement || node instanceof HTMLProgressElement) return;
      if (style.overflowX !== "visible" || style.overflowY !== "visible") {
        const id = `clip${++clips}`, before = bottom, inside = svg("g", { "clip-path": `url(#${id})` });
        defs.append(svg("clipPath", { id }, svg("rect", placed(rect))));
        into.append(inside);
        children(node, inside);
        bottom = Math.max(before, rect.bottom - frame.top);
        return;
      }
    }
    children(node, into);
  }

  /** @param {Element} node @param {Element} into */
  function children(node, into) {
    for (const child of node.childNodes) {
      if (child instanceof Element) visit(child, into);
      else if (child instanceof Text && child.data.trim()) words(child, into);
    }
  }

  /** @param {CSSStyleDeclaration} style @param {any} place @param {Element} into */
  function box(style, place, into) {
    const hatched = style.backgroundImage.startsWith("repeating-linear-gradient");
    if (hatched && !defs.querySelector("#hatch"))
      defs.append(svg("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        svg("line", { x1: 0, x2: 0, y2: 6, stroke: style.color, "stroke-width": 1.5, "stroke-opacity": 0.5 })));
    const rx = parseFloat(style.borderTopLeftRadius) || null;
    if (!clear(style.backgroundColor)) into.append(svg("rect", { ...place, rx, fill: style.backgroundColor }));
    if (hatched) into.append(svg("rect", { ...place, rx, fill: "url(#hatch)" }));
    const { x, y, width: w, height: h } = place;
    const sides = { Top: [x, y, x + w, y], Right: [x + w, y, x + w, y + h], Bottom: [x, y + h, x + w, y + h], Left: [x, y, x, y + h] };
    for (const [side, [x1, y1, x2, y2]] of Object.entries(sides)) {
      const of = (/** @type {string} */ what) => style.getPropertyValue(`border-${side.toLowerCase()}-${what}`), wide = parseFloat(of("width"));
      if (wide && of("style") !== "none" && !clear(of("color")))
        into.append(svg("line", { x1, y1, x2, y2, stroke: of("color"), "stroke-width": wide }));
    }
  }

  // A text, line by line as it is broken here.
  /** @param {Text} text @param {Element} into */
  function words(text, into) {
    const style = getComputedStyle(/** @type {Element} */ (text.parentElement)), range = document.createRange();
    measured.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = measured.measureText("x");
    /** @type {{said: string, rect: DOMRect, right: number}[]} */
    const lines = [];
    for (const { 0: word, index = 0 } of text.data.matchAll(/\S+\s*/g)) {
      range.setStart(text, index);
      range.setEnd(text, index + word.trimEnd().length);
      const [rect] = range.getClientRects(), line = lines[lines.length - 1];
      if (!rect) continue;
      if (line && Math.abs(line.rect.top - rect.top) < 2) Object.assign(line, { said: line.said + word, right: rect.right });
      else lines.push({ said: word, rect, right: rect.right });
    }
    for (const { said, rect, right } of lines) {
      const place = placed(rect);
      into.append(svg("text", {
        x: place.x, y: round(rect.top - frame.top + (rect.height * up) / (up + down || 1)), fill: style.color, "font-family": style.fontFamily,
        "font-size": style.fontSize, "font-weight": style.fontWeight, "font-style": style.fontStyle,
        textLength: round(right - rect.left), lengthAdjust: "spacingAndGlyphs", text: said.trimEnd().replace(/\s+/g, " "),
      }));
    }
  }

  children(element, sheet);
  const width = Math.ceil(frame.width) + 2 * MARGIN, height = Math.ceil(bottom) + 2 * MARGIN;
  sheet.setAttribute("transform", `translate(${MARGIN} ${MARGIN})`);
  return svg("svg", { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}` },
    svg("title", { text: title }), defs, svg("rect", { width, height, fill: ground }), sheet);
}

/**
 * Copies a drawing with what its style sheets say.
 * @param {SVGSVGElement} node
 * @param {any} place
 */
function inlined(node, place) {
  const copy = /** @type {SVGSVGElement} */ (node.cloneNode(true));
  const from = [node, ...node.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
  from.forEach((each, k) => {
    const style = getComputedStyle(each);
    for (const key of DRAWN) to[k].setAttribute(key, style.getPropertyValue(key));
    for (const name of ["class", "tabindex", "role", "aria-label"]) to[k].removeAttribute(name);
  });
  const { width, height } = node.viewBox.baseVal ?? {};
  if (!width || !height) copy.setAttribute("viewBox", `0 0 ${place.width} ${place.height}`);
  for (const [name, value] of Object.entries(place)) copy.setAttribute(name, String(value));
  return copy;
}

const round = (/** @type {number} */ x) => Math.round(x * 100) / 100;
const clear = (/** @type {string} */ colour) => colour === "transparent" || /^rgba\(.*, 0\)$/.test(colour);

/**
 * @param {SVGSVGElement} drawing
 * @returns {Blob}
 */
export const asSvg = (drawing) => new Blob([new XMLSerializer().serializeToString(drawing)], { type: "image/svg+xml" });

/**
 * Paints a drawing with two pixels for each of the screen's points.
 * @param {SVGSVGElement} drawing
 * @returns {Promise<Blob>}
 */
export async function asPng(drawing) {
  const picture = new Image(), address = URL.createObjectURL(asSvg(drawing));
  try {
    picture.src = address;
    await picture.decode();
    const canvas = document.createElement("canvas"), { width, height } = drawing.viewBox.baseVal;
    const scale = Math.min(2, 16000 / Math.max(width, height)); // browsers have no larger canvases
    Object.assign(canvas, { width: width * scale, height: height * scale });
    canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("PNG"))), "image/png"));
  } finally {
    URL.revokeObjectURL(address);
  }
}

/**
 * Has the browser keep a file.
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const link = document.createElement("a"), address = URL.createObjectURL(blob);
  Object.assign(link, { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
