// A training to look at and to interfere with: its pace, its rate, its curve, its filters.

import { make } from "../dom.js";
import { filterSheet } from "../filter_sheet.js";
import { lossCurve } from "../loss_curve.js";
import { problem } from "../notices.js";
import { pinnedStrip } from "../pinned_strip.js";
import { trainingForm } from "../training_form.js";
import { counted, figure } from "../text.js";

const PACES = [1, 2, 5, 10, 25]; // steps a second

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const { text, model } = studio;
  /** @type {any} What was told last. */
  let told = { state: "none" };
  /** @type {import("../loss_curve.js").Course} */
  let course = empty();
  let gone = false, asking = false, begun = false; // begun: here, and not shown yet

  const form = trainingForm(studio, (first) => {
    course = empty();
    studio.state.set({ network: first.network, value: "", unit: "", filter: "", layer: "" }, { step: true });
    begun = true;
    take(first);
  });
  const curve = lossCurve(studio, () => course), filters = filterSheet(studio), strip = pinnedStrip(studio);

  const button = (/** @type {string} */ key, /** @type {() => void} */ work, more = {}) => make("button", { type: "button", text: text(`training.${key}`), onclick: work, ...more });
  const play = button("go", () => command(moving() ? "pause" : "go"), { class: "primary" });
  const step = button("step", () => command("step", { steps: 1 })), steps = button("steps", () => command("step", { steps: 10 }));
  const pace = make("select", { onchange: () => (pace.value ? command("slow", { per_second: Number(pace.value) }) : command("go")) },
    make("option", { value: "", text: text("training.full") }), ...PACES.map((n) => make("option", { value: n, text: text("training.per_second", { n }) })));
  const stop = button("stop", () => command("stop"));
  const rate = make("input", { type: "number", step: "any", min: 0, required: true });
  const setRate = make("form", { class: "tools", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); command("rate", { lr: Number(rate.value) }); } },
    make("label", {}, text("training.lr"), rate), make("button", { type: "submit", text: text("training.set") }));
  const where = make("p", { class: "lead", tabindex: -1 }), elsewhere = make("p"), result = make("p", { class: "note" });
  const layers = make("ul", { class: "frozen" }), marks = make("div", { class: "tools" });
  const controls = make("section", { class: "panel" }, make("h3", { text: text("training.course") }), where,
    make("div", { class: "tools" }, play, step, steps, make("label", {}, text("training.pace"), pace), make("span", { class: "gap" }), stop),
    result, curve.element, make("h4", { text: text("training.back") }), marks);
  const learning = make("section", { class: "panel" }, make("h3", { text: text("training.learning") }), setRate,
    make("h4", { text: text("training.layers") }), make("p", { class: "note", text: text("training.layers_note") }), layers);
  const live = make("div", {}, controls, make("div", { class: "columns halves" }, learning, strip.element));
  element.append(make("p", { class: "note", text: text("training.lead") }), elsewhere, live, form.element, filters.element, filters.editor);

  const mine = () => told.network === studio.network.id;
  const moving = () => ["starting", "running"].includes(told.state);
  const alive = () => moving() || told.state === "paused";

  // What is told ---------------------------------------------------------------------------------

  /**
   * Takes an event, or an answer; asks for what a slow page has missed.
   * @param {any} given
   */
  async function take(given) {
    if (gone || !given || given.moment < told.moment) return;
    const before = told;
    if (given.network !== before.network) course = empty();
    told = given;
    if (told.state !== "none") follow(given);
    if (before.state !== told.state || before.network !== told.network) {
      form.load();
      if (before.state !== "none" && mine()) studio.announce(words());
    }
    draw();
    pin();
    if (told.state !== "none" && course.steps < told.step && !asking) {
      asking = true;
      const all = await studio.ask("train/state", { since: course.steps }).catch(() => null);
      asking = false;
      take(all);
    }
  }

  /**
   * Adds the losses and epochs that are new, and takes away those that the training went back from.
   * @param {any} given
   */
  function follow({ since, every, losses, step: now, batches, records }) {
    if (now < course.steps) {
      const kept = course.xs.findIndex((x) => x > now);
      if (kept >= 0) course.xs.length = course.ys.length = kept;
      course.steps = now;
      strip.cut(now);
    }
    course.batches = batches;
    if (since <= course.steps) {
      losses.forEach((/** @type {number} */ y, /** @type {number} */ k) => {
        const x = since + (k + 0.5) * every;
        if (x > course.steps) { course.xs.push(x); course.ys.push(y); }
      });
      course.steps = now;
    }
    const last = Math.floor(now / batches), known = new Map(course.records.filter(({ epoch }) => epoch <= last).map((each) => [each.epoch, each]));
    for (const each of records) known.set(each.epoch, each);
    course.records = [...known.values()].sort((a, b) => a.epoch - b.epoch);
    if (told.pinned && told.pinned_image === pinned) strip.add(now, told.pinned); // not that of another page
  }

  /** @param {string} name */
  async function command(name, args = {}) {
    try {
      await take(await studio.ask(`train/${name}`, args));
      problem(controls, null);
    } catch (error) {
      problem(controls, error);
    }
  }

  // What is drawn --------------------------------------------------------------------------------

  const words = () => text(`training.is_${told.state}`, { folder: told.folder, epoch: Math.min(told.epoch + 1, told.epochs), epochs: told.epochs, step: counted(told.step), error: told.error ?? "" });

  function draw() {
    const focused = /** @type {any} */ (live.contains(document.activeElement) ? document.activeElement : null);
    const none = told.state === "none", other = !none && !mine() && alive();
    live.hidden = none || !mine();
    form.element.hidden = !none && (alive() || told.state === "measuring");
    elsewhere.replaceChildren(...(other ? [text("training.elsewhere", { name: told.folder }), " ", make("button", { type: "button", class: "link", text: text("training.look"), onclick: () => studio.state.set({ network: told.network, value: "", unit: "" }, { step: true }) })] : []));
    if (live.hidden || document.hidden) return; // nobody looks
    const speed = told.steps_per_second && told.state === "running" && !told.per_second ? ` · ${text("training.speed", { n: counted(Math.round(told.steps_per_second)), share: (100 * told.share).toFixed(1) })}` : "";
    where.textContent = words() + speed;
    where.classList.toggle("problem", told.state === "failed");
    result.textContent = told.result ?? "";
    play.textContent = text(moving() ? "training.pause" : "training.go");
    for (const each of [play, step, steps, pace, stop, ...setRate.querySelectorAll("input, button")]) each.disabled = !alive();
    if (begun) play.focus(); // the form had the focus, and is gone
    else if (focused?.disabled) where.focus(); // the course is over
    begun = false;
    if (document.activeElement !== pace) pace.value = told.per_second && PACES.includes(told.per_second) ? told.per_second : "";
    if (document.activeElement !== rate) rate.value = told.lr;
    rate.title = told.last_lr === null ? "" : text("training.last_rate", { lr: figure(told.last_lr) });
    drawLayers();
    drawMarks();
    curve.draw();
    strip.draw();
  }

  function drawLayers() {
    const trained = studio.network.values.filter(({ weights }) => weights.length);
    if (layers.dataset.of !== studio.network.id) {
      layers.dataset.of = studio.network.id;
      layers.replaceChildren(...trained.map(({ id, title, kind, parameters }) => {
        const box = make("input", { type: "checkbox", onchange: async () => { await command("freeze", { value: id, frozen: !box.checked }); drawLayers(); } });
        return make("li", {}, make("label", {}, box, `${title} `, make("span", { class: "note", text: `${kind}, ${counted(parameters)}` })));
      }));
    }
    layers.querySelectorAll("input").forEach((/** @type {HTMLInputElement} */ box, /** @type {number} */ k) => {
      box.checked = !trained[k].weights.every(({ key }) => told.frozen.includes(key));
      box.disabled = !alive();
    });
  }

  function drawMarks() {
    const shown = told.marks.join();
    if (marks.dataset.of !== shown) {
      marks.dataset.of = shown;
      marks.replaceChildren(...told.marks.map((/** @type {number} */ epoch) => button("epoch_mark", () => command("back", { epoch }), { text: epoch, "aria-label": text("training.back_to", { epoch }) })));
    }
    for (const each of marks.children) /** @type {any} */ (each).disabled = !alive() && !["finished", "failed"].includes(told.state);
  }

  // The rest of the page -------------------------------------------------------------------------

  let pinned = "";

  /** Has the image that is open told each time: its probabilities are drawn over the steps. */
  function pin() {
    const image = studio.seen?.image ?? "";
    if (image === pinned || !mine() || !alive()) return;
    pinned = image;
    strip.clear();
    studio.ask("train/pin", { image: image || null }).catch(() => null);
  }

  document.addEventListener("visibilitychange", draw);
  const off = model.on("training", take);
  studio.ask("train/state").then(take).catch((error) => problem(element, error));
  form.load();
  filters.look();

  return {
    update(changed) {
      if (changed.has("network")) draw();
      if (changed.has("network")) form.load();
      if (changed.has("theme") || changed.has("log")) { curve.draw(); strip.draw(); }
      if (["network", "seen", "weights", "theme", "layer", "filter"].some((key) => changed.has(key))) filters.look();
      pin();
    },
    dispose() {
      gone = true;
      off();
      document.removeEventListener("visibilitychange", draw);
      curve.dispose();
      filters.dispose();
    },
  };
}

/** @returns {import("../loss_curve.js").Course} */
const empty = () => ({ xs: [], ys: [], batches: 1, steps: 0, records: [] });
