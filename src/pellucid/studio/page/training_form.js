// With what a training begins.

import { make } from "./dom.js";
import { problem, progress } from "./notices.js";
import { counted } from "./text.js";

/**
 * A form that begins a training of the network of the moment.
 * @param {import("./types.js").Studio} studio
 * @param {(told: any) => void} begun
 */
export function trainingForm(studio, begun) {
  const { text } = studio, form = make("form", { class: "settings", onsubmit: start, oninput: () => { written = studio.network.id; } });
  const paused = make("button", { type: "submit", text: text("training.start_paused"), value: "paused" });
  const element = make("section", { class: "panel" }, make("h3", { text: text("training.begin") }), form);
  let round = 0, written = ""; // the network for which something was written
  /** @type {any} */
  let known = null;

  /** @param {string} key @param {any} control */
  const row = (key, control) => {
    control.name = key;
    control.id = `training-${key}`;
    return [make("label", { for: control.id, text: text(`training.${key}`) }), control, make("p", { class: "note", text: text(`training.${key}_note`) })];
  };
  /** @param {[string, string][]} choices */
  const select = (choices, chosen = "") => make("select", {}, ...choices.map(([value, words]) => make("option", { value, text: words, selected: value === chosen })));
  const number = (/** @type {Record<string, any>} */ how) => make("input", { type: "number", ...how });

  async function load() {
    const mine = ++round;
    const found = await studio.ask("train/choices").catch((error) => problem(element, error));
    if (mine !== round || !found) return;
    known = found;
    const fitting = known.data.find((/** @type {any} */ each) => each.fits) ?? known.data[0];
    const ways = [known.fresh && "fresh", known.resume && "resume", "further"].filter(Boolean);
    const optimizer = select(Object.keys(known.optimizers).map((name) => [name, name]), "adam"), lr = number({ step: "any", min: 0, placeholder: known.optimizers.adam });
    optimizer.addEventListener("change", () => { lr.placeholder = known.optimizers[optimizer.value]; });
    const data = select(known.data.map((/** @type {any} */ { name, title, images }) => [name, images ? `${title} (${counted(images)})` : title]), fitting?.name);
    const epochs = number({ min: 1 }), batch = number({ min: 1 }), usual = () => {
      const { epochs: e = "", batch_size: b = "" } = known.data.find((/** @type {any} */ { name }) => name === data.value) ?? {};
      Object.assign(epochs, { placeholder: e });
      Object.assign(batch, { placeholder: b });
    };
    data.addEventListener("change", usual);
    usual();
    const before = written === studio.network.id ? [...form.elements].map(({ name, value }) => [name, value]) : [];
    const begin = select(ways.map((way) => [way, text(`training.${way}`)]));
    begin.addEventListener("change", resuming);
    form.replaceChildren(
      ...row("data", data),
      ...row("weights", begin),
      ...row("epochs", epochs),
      ...row("optimizer", optimizer),
      ...row("lr", lr),
      ...row("batch_size", batch),
      ...row("schedule", select([["", text("training.constant")], ...known.schedules.map((/** @type {string} */ name) => [name, name])])),
      ...row("augment", make("input", { placeholder: "flip,crop4", spellcheck: false, autocapitalize: "off" })),
      ...row("seed", number({ min: 0, value: 0 })),
      make("span"), make("div", { class: "tools" },
        make("button", { type: "submit", class: "primary", text: text("training.start") }), paused));
    for (const [name, value] of before) if (name) rewrite(form.elements[name], value);
    usual();
    resuming();
  }

  /** @param {any} control @param {string} value */
  function rewrite(control, value) {
    if (!control.options || [...control.options].some((each) => each.value === value)) control.value = value;
  }

  /** What goes on has its settings already, but for the number of epochs. */
  function resuming() {
    const resume = form.elements.weights.value === "resume";
    for (const control of form.elements) if (control.name && !["weights", "epochs"].includes(control.name)) control.disabled = resume;
    form.elements.epochs.required = resume;
  }

  /** @param {SubmitEvent} event */
  async function start(event) {
    event.preventDefault();
    const given = Object.fromEntries([...new FormData(form)].filter(([key, value]) => key !== "weights" && value !== ""));
    for (const key of ["lr", "epochs", "batch_size", "seed"]) if (given[key] !== undefined) given[key] = /** @type {any} */ (Number(given[key]));
    const way = form.elements.weights.value, waiting = progress(element, text("training.reading"), studio);
    const more = { ...(way === "resume" ? { resume: true } : { fresh: way === "fresh" }), paused: event.submitter === paused };
    try {
      const told = await studio.ask("train/start", { ...given, ...more }, waiting.options);
      written = "";
      begun(told);
      problem(element, null);
    } catch (error) {
      problem(element, error);
    } finally {
      waiting.end();
    }
  }

  return { element, load };
}
