// Build a network from a line: its layers while typing, what is wrong and where, and train it at a click.

import { layerTable, wordTable } from "../build_tables.js";
import { make } from "../dom.js";
import { graph } from "../graph.js";
import { lineEditor } from "../line_editor.js";
import { problem } from "../notices.js";
import { counted } from "../text.js";

const SIZES = ["channels", "height", "width", "classes"], PAUSE = 80; // milliseconds after the last letter

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const { text, state } = studio;
  /** @type {any} */
  let known = null; // the answer of build/words
  /** @type {any} */
  let found = null; // that of build
  let turn = 0, later = 0;

  const editor = lineEditor({
    label: text("build.line"), describedby: "build-says",
    change: (pattern) => { state.set({ pattern }); },
    caret: (place) => choose((/** @type {any} */ row) => row.start <= place && place <= row.end),
  });
  const says = make("p", { id: "build-says", role: "status" });
  const example = make("select", { onchange: () => take(known.examples[Number(example.value)]) });
  const data = make("select", { onchange: () => {
    const set = known.data.find((/** @type {any} */ each) => each.name === data.value);
    state.set({ data: data.value || "-", ...(set && { size: [...set.input, set.classes].join("x") }) });
  } });
  const sizes = SIZES.map((name) => make("input", { type: "number", min: 1, step: 1, "aria-label": text(`build.${name}`), title: text(`build.${name}`),
    onchange: () => state.set({ size: sizes.map((each) => each.value).join("x"), data: "-" }) }));
  const train = make("button", { type: "button", class: "primary", text: text("build.train"), onclick: () => open(true) });
  const look = make("button", { type: "button", text: text("build.open"), onclick: () => open(false) });
  const remark = make("span", { class: "note", text: text("build.train_says") });
  const actions = make("div", { class: "tools" }, train, look, remark);
  const boxes = make("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": text("build.volumes") });
  const table = make("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": text("build.layers") });
  const words = make("div");
  element.append(
    make("section", { class: "panel" }, make("p", { class: "lead", text: text("build.lead") }),
      make("div", { class: "tools" }, make("label", {}, text("build.example"), example), make("label", {}, text("build.data"), data),
        make("span", { class: "sizes" }, text("build.image"), sizes[0], "×", sizes[1], "×", sizes[2]), make("label", {}, text("build.classes"), sizes[3])),
      editor.element, says, actions),
    make("section", { class: "panel" }, boxes, table), make("section", { class: "panel" }, make("h3", { text: text("build.words") }), words));

  /** @param {any} each */
  const take = (each) => {
    const fits = known.data.find((/** @type {any} */ set) => String([set.input, set.classes]) === String([each.input, each.classes]));
    state.set({ pattern: each.pattern, size: [...each.input, each.classes].join("x"), data: fits?.name ?? "-" });
  };

  /** The line, the image and the classes: of the address, or the lecture's on the data that goes with the network. */
  function line() {
    const set = known.data.find((/** @type {any} */ each) => each.name === (state.get("data") || studio.network.dataset)) ?? known.data[0];
    const written = state.get("size").split("x").map(Number), whole = written.length === 4;
    const [c, h, w, classes] = whole ? written : [...set.input, set.classes];
    return { pattern: state.get("pattern") || (editor.writing() ?? known.examples[0].pattern), input: [c, h, w], classes, data: state.get("data") === "-" ? null : set.name };
  }

  async function check() {
    const mine = ++turn, { pattern, input, classes, data: set } = line();
    editor.write(pattern);
    [...input, classes].forEach((n, k) => { if (Number(sizes[k].value) !== n && sizes[k] !== document.activeElement) sizes[k].value = String(n); });
    data.value = set ?? "";
    try {
      const answer = await studio.ask("build", { pattern, input, classes });
      if (mine !== turn) return;
      found = answer;
      problem(says, null);
      show(set);
    } catch (error) {
      if (mine !== turn) return;
      says.replaceChildren();
      problem(says, error);
    }
  }

  /** @param {string | null} set */
  function show(set) {
    const bad = found.error !== undefined;
    train.disabled = bad || !set;
    look.disabled = bad;
    says.className = bad ? "problem" : "note";
    boxes.classList.toggle("old", bad);
    table.classList.toggle("old", bad);
    if (bad) {
      const { start, end } = found;
      says.replaceChildren(found.error, " ", start === null ? "" : make("button", { type: "button", class: "link", text: text("build.show"), onclick: () => editor.select(start, end) }));
      if (start !== null) editor.mark([{ start, end, kind: "fault" }]);
      return;
    }
    editor.mark([]);
    says.textContent = text("build.sum", { layers: found.rows.length, parameters: counted(found.parameters), products: counted(found.products) });
    boxes.replaceChildren(volumes());
    table.replaceChildren(layerTable(found, text, (row) => editor.mark(row ? [{ ...row, kind: "chosen" }] : [])));
  }

  /** The graph of the values that have weights before them, or another shape than those before; a box selects its word. */
  function volumes() {
    const image = { title: text("build.input"), kind: "input", shape: line().input, parameters: 0, products: 0, field: { size: [1, 1] } };
    const values = [image, ...found.rows].map((row, id) => ({ title: row.path, ...row, id, stage: id, weights: row.parameters ? [row] : [] }));
    const kept = values.filter(({ id, parameters, shape }) => !id || parameters || String(shape) !== String(values[id - 1].shape));
    const layout = { boxes: kept.map(({ id }, column) => [id, column, 0]), breaks: kept.map((_, column) => column), edges: kept.slice(1).map(({ id }, k) => [kept[k].id, id, 0]) };
    const state = { number: () => NaN, set: (/** @type {{value: number}} */ { value }) => { if (value) editor.select(values[value].start, values[value].end); } };
    return graph(/** @type {any} */ ({ text, state, network: { values, layout: { values: layout }, outputs: [] } }), { every: true, width: boxes.clientWidth }).element;
  }

  /** @param {(row: any) => boolean} is */
  function choose(is) {
    if (found?.rows) table.querySelectorAll("tbody tr").forEach((/** @type {Element} */ each, /** @type {number} */ k) => each.classList.toggle("chosen", is(found.rows[k])));
  }

  /** @param {boolean} andTrain */
  async function open(andTrain) {
    const { pattern, input, classes, data: set } = line();
    train.disabled = look.disabled = true;
    try {
      let { network, closed } = await studio.ask("build/open", { pattern, input, classes, data: set });
      if (closed) studio.announce(text("build.closed", { name: closed }));
      if (andTrain) network = (await studio.model.ask("train/start", { network, data: set }, { progress: () => {} })).network ?? network;
      state.set({ network, view: andTrain ? "training" : "network", image: "", value: "", unit: "", class: "" }, { step: true });
    } catch (error) {
      problem(actions, error);
    }
    train.disabled = look.disabled = false;
  }

  async function begin() {
    try {
      known = await studio.ask("build/words");
    } catch (error) {
      return problem(element, error);
    }
    example.replaceChildren(make("option", { value: "", text: text("build.choose") }), ...known.examples.map((/** @type {any} */ each, /** @type {number} */ k) => make("option", { value: k, text: each.name })));
    data.replaceChildren(make("option", { value: "", text: text("build.no_data") }), ...known.data.map((/** @type {any} */ each) => make("option", { value: each.name, text: `${each.name} · ${[...each.input].join("×")} → ${each.classes}` })));
    if (!studio.network.can.includes("train/start")) train.hidden = remark.hidden = true;
    words.replaceChildren(make("p", { class: "note", text: text("build.grammar") }), wordTable(known.words, text));
    await check();
  }
  begin();
  return {
    update: (changed) => {
      if (!known || !["pattern", "size", "data", "network"].some((key) => changed.has(key))) return;
      clearTimeout(later);
      later = setTimeout(check, changed.has("pattern") ? PAUSE : 0);
    },
    dispose: () => { turn = -1; clearTimeout(later); },
  };
}
