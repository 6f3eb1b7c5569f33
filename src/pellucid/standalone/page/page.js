// The page: a sheet to draw on, pictures, classes, and the maps of each layer.
"use strict";
const get = (id) => document.getElementById(id), read = (id) => get(id).textContent;
const network = JSON.parse(read("network")), { texts, classes, preparation } = network;
const [H, W] = preparation.size, LONG = 336, MOST = 10, MOST_PIXELS = 2 ** 24; // pixels of the sheet; classes that are listed
const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const make = (name, { text = "", ...more } = {}) => Object.assign(document.createElement(name), { textContent: text, ...more });

// The worker: one picture at a time, and then only the newest that waits.
const worker = new Worker(URL.createObjectURL(new Blob([read("worker")], { type: "text/javascript" })));
let ready = false, busy = false, waiting = null, began = 0;
const { texts: own, classes: names, ...plan } = network;
worker.postMessage({ do: "load", found: plan, base64: read("weights").trim() });
get("weights").remove(); // the worker has a copy
worker.onmessage = ({ data }) => {
  if (data.done) { get("progress").hidden = false; get("progress").value = data.done; return; }
  if (data.about === "look") { showMaps(data); return; }
  if (data.about === "error") get("how").textContent = say(texts.failed, data);
  get("progress").hidden = true;
  busy = false;
  ready = true;
  if (data.about === "run" && !blank()) show(data);
  document.body.dataset.state = "ready";
  if (waiting) {
    const next = waiting;
    waiting = null;
    ask(next);
  }
};
worker.onerror = (event) => { get("how").textContent = say(texts.failed, { text: event.message }); };
function ask(picture) {
  document.body.dataset.state = "busy";
  if (!ready || busy) { waiting = picture; return; }
  busy = true;
  began = performance.now();
  worker.postMessage({ do: "run", picture: { data: picture.data, width: picture.width, height: picture.height } });
}

// The sheet --------------------------------------------------------------------------------------

const sheet = get("sheet"), paper = sheet.getContext("2d", { willReadFrequently: true });
sheet.width = Math.round(W >= H ? LONG : (LONG * W) / H);
sheet.height = Math.round(H >= W ? LONG : (LONG * H) / W);
get("colour").hidden = preparation.channels === 1;
let strokes = [], picture = null, pen = null, asked = 0;
const blank = () => !picture && !strokes.length;

function drawStroke({ width, colour, points }) {
  Object.assign(paper, { lineWidth: width, strokeStyle: colour, lineCap: "round", lineJoin: "round" });
  paper.beginPath();
  points.forEach(([x, y], k) => (k ? paper.lineTo(x, y) : paper.moveTo(x, y)));
  if (points.length === 1) paper.lineTo(points[0][0] + 0.01, points[0][1]);
  paper.stroke();
}

function redraw() {
  paper.fillStyle = "#fff";
  paper.fillRect(0, 0, sheet.width, sheet.height);
  if (picture) {
    const scale = Math.min(sheet.width / picture.width, sheet.height / picture.height);
    const w = picture.width * scale, h = picture.height * scale;
    paper.drawImage(picture.bitmap, (sheet.width - w) / 2, (sheet.height - h) / 2, w, h);
  }
  strokes.forEach(drawStroke);
  get("hint").hidden = !blank();
  get("undo").disabled = get("clear").disabled = blank();
  if (cursor && pen === null) drawCursor();
}

function changed() {
  redraw();
  if (blank()) { forget(); return; }
  asked = performance.now();
  ask(picture ? picture.pixels : pixelsOf());
}
function pixelsOf() {
  if (!cursor) return paper.getImageData(0, 0, sheet.width, sheet.height);
  const kept = cursor;
  cursor = null; // the cross is not part of the drawing
  redraw();
  const pixels = paper.getImageData(0, 0, sheet.width, sheet.height);
  cursor = kept;
  redraw();
  return pixels;
}

function begin(x, y) {
  picture = null;
  const width = (get("brush").value / 100) * Math.max(sheet.width, sheet.height);
  pen = { width, colour: preparation.channels === 1 ? "#000" : get("ink").value, points: [[x, y]] };
  strokes.push(pen);
}
function extend(x, y) {
  pen.points.push([x, y]);
  if (performance.now() - asked > 120 && !busy) changed();
  else redraw();
}
const place = (event) => {
  const box = sheet.getBoundingClientRect();
  return [((event.clientX - box.left) * sheet.width) / box.width, ((event.clientY - box.top) * sheet.height) / box.height];
};
sheet.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  sheet.setPointerCapture(event.pointerId);
  cursor = null;
  begin(...place(event));
  redraw();
});
sheet.addEventListener("pointermove", (event) => {
  if (pen && !cursor) for (const each of event.getCoalescedEvents?.() || [event]) extend(...place(each));
});
for (const name of ["pointerup", "pointercancel"]) sheet.addEventListener(name, () => {
  if (!pen || cursor) return;
  pen = null;
  changed();
});

// By the keyboard: arrows move a cross, Space puts the pen down and lifts it.
let cursor = null;
function drawCursor() {
  const [x, y] = cursor;
  Object.assign(paper, { lineWidth: 2, strokeStyle: "#0072b2" });
  paper.beginPath();
  paper.moveTo(x - 9, y); paper.lineTo(x + 9, y); paper.moveTo(x, y - 9); paper.lineTo(x, y + 9);
  paper.stroke();
}
sheet.addEventListener("keydown", (event) => {
  const step = sheet.width / 28, move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
  if (!move && event.key !== " ") return;
  event.preventDefault();
  cursor ||= [sheet.width / 2, sheet.height / 2];
  if (!move) {
    if (pen) { pen = null; changed(); } else { begin(...cursor); redraw(); }
    return;
  }
  cursor = [0, 1].map((k) => Math.min(Math.max(cursor[k] + move[k], 0), [sheet.width, sheet.height][k]));
  if (pen) extend(...cursor);
  else redraw();
});
sheet.addEventListener("blur", () => { if (cursor) { cursor = null; if (pen) { pen = null; changed(); } else redraw(); } });

function undo() { if (picture) picture = null; else strokes.pop(); pen = null; changed(); }
get("undo").onclick = undo;
get("clear").onclick = () => { strokes = []; picture = pen = null; changed(); };
document.addEventListener("keydown", (event) => { if ((event.ctrlKey || event.metaKey) && event.key === "z") { event.preventDefault(); undo(); } });

// Pictures: chosen, dropped or pasted ------------------------------------------------------------

async function take(file) {
  if (!file) return;
  try {
    const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    if (bitmap.width * bitmap.height > MOST_PIXELS) {
      get("how").textContent = say(texts.too_large, { name: file.name, most: MOST_PIXELS.toLocaleString() });
      return;
    }
    const canvas = make("canvas", { width: bitmap.width, height: bitmap.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    strokes = [];
    picture = { bitmap, width: bitmap.width, height: bitmap.height, pixels: context.getImageData(0, 0, bitmap.width, bitmap.height) };
    changed();
  } catch {
    get("how").textContent = say(texts.no_picture, { name: file.name });
  }
}
get("file").onchange = ({ target }) => { take(target.files[0]); target.value = ""; };
addEventListener("paste", ({ clipboardData }) => take([...clipboardData.files].find(({ type }) => type.startsWith("image/"))));
addEventListener("dragover", (event) => { event.preventDefault(); sheet.classList.add("over"); });
addEventListener("dragleave", () => sheet.classList.remove("over"));
addEventListener("drop", (event) => { event.preventDefault(); sheet.classList.remove("over"); take(event.dataTransfer.files[0]); });

// The answer -------------------------------------------------------------------------------------

// Shades, or red, green and blue, as the pixels of a canvas.
function paint(canvas, w, h, pixel) {
  Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d"), image = context.createImageData(w, h);
  for (let i = 0; i < w * h; i++) image.data.set(pixel(i), 4 * i);
  context.putImageData(image, 0, 0);
}

function forget() {
  waiting = null;
  get("classes").replaceChildren();
  get("time").textContent = get("spoken").textContent = "";
  delete document.body.dataset.scores;
  get("how").textContent = texts.seen;
  paint(get("seen"), W, H, () => [0, 0, 0, 0]);
  for (const item of get("layers").children)
    for (const part of [item.lastChild, item.querySelector("i")]) part.replaceChildren();
}

function show({ image, how, scores, maps }) {
  const n = H * W, three = preparation.channels === 3;
  paint(get("seen"), W, H, (i) => [image[i], image[three ? n + i : i], image[three ? 2 * n + i : i], 255]);
  get("how").textContent = texts.seen + (texts[how] ? ` ${texts[how]}` : "");
  const most = Math.max(...scores), e = Array.from(scores, (z) => Math.exp(z - most)), sum = e.reduce((a, b) => a + b, 0);
  const order = e.map((_, k) => k).sort((a, b) => e[b] - e[a]);
  const listed = classes.length <= MOST ? e.map((_, k) => k) : order.slice(0, MOST);
  const long = classes.some((name) => !/^[ -~]{0,3}$/.test(name));
  get("classes").replaceChildren(...listed.map((k) => {
    const item = make("li", { className: `${k === order[0] ? "best " : ""}${long ? "long" : ""}` }), bar = make("span", { className: "bar" });
    const share = (100 * e[k]) / sum, filled = make("span");
    bar.append(filled);
    filled.style.width = `${share}%`;
    item.append(make("span", { className: "name", text: classes[k], title: classes[k] }), bar, make("span", { className: "share", text: `${share.toFixed(1)} %` }));
    return item;
  }));
  if (!pen) get("spoken").textContent = order.slice(0, 3).map((k) => `${classes[k]} ${((100 * e[k]) / sum).toFixed(1)} %`).join(", ");
  get("time").textContent = say(texts.took, { ms: Math.max(1, Math.round(performance.now() - began)) });
  document.body.dataset.scores = JSON.stringify([...scores]);
  maps.forEach(showOverview);
}

// The layers -------------------------------------------------------------------------------------

const number = (x) => Number(x.toPrecision(3)).toString();
get("layers").append(...network.lines.map(([path, kind, , , , , shape], k) => {
  const item = make("li"), head = make("p");
  head.append(make("b", { text: path || kind }), make("span", { text: `${path ? kind : ""} ${shape.join("×")}` }), make("i"));
  item.append(head, make("div"));
  return item;
}));

function showOverview({ low, high, row, view: { h, w, bytes } }, k) {
  const [path, kind, , , , , shape] = network.lines[k], item = get("layers").children[k], canvas = make("canvas");
  item.querySelector("i").textContent = say(texts.range, { low: number(low), high: number(high) });
  const count = bytes.length / (h * w), wide = count * (w + 1) - 1;
  paint(canvas, wide, h, (i) => {
    const y = Math.floor(i / wide), x = i % wide, tile = Math.floor(x / (w + 1)), j = x % (w + 1);
    const v = bytes[(tile * h + y) * w + j];
    return j === w ? [0, 0, 0, 0] : [v, v, v, 255];
  });
  if (row) { // numbers without a place: nothing to look at more closely
    canvas.className = "strip";
    item.lastChild.replaceChildren(canvas);
    return;
  }
  const button = make("button", { type: "button", ariaLabel: say(texts.open, { name: path || kind, count: shape[0] }) });
  button.append(canvas);
  button.onclick = () => worker.postMessage({ do: "look", k });
  item.lastChild.replaceChildren(button);
}

function showMaps({ k, h, w, bytes }) {
  const [path, kind, , , , , shape] = network.lines[k], count = bytes.length / (h * w);
  get("look-title").textContent = `${path || kind}: ${kind} ${shape.join("×")}`;
  const range = get("layers").children[k].querySelector("i").textContent;
  get("look-note").textContent = `${range} · ${say(texts.maps, { count, all: shape[0] })}`;
  get("look-maps").replaceChildren(...Array.from({ length: count }, (_, map) => {
    const canvas = make("canvas", { role: "img", ariaLabel: say(texts.map, { k: map + 1 }) });
    paint(canvas, w, h, (i) => { const v = bytes[map * h * w + i]; return [v, v, v, 255]; });
    return canvas;
  }));
  get("look").showModal();
}

redraw();
forget();
