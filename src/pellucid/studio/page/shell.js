// The studio around its views: which network, which image, which view, in which language.

import { make } from "./dom.js";
import { State } from "./state.js";
import { texts } from "./text.js";
import { views, besides } from "./views/index.js";

/** @typedef {import("./types.js").Studio} Studio */

const DEFAULTS = { view: "network" };

/**
 * Opens the studio in an element.
 * @param {HTMLElement} element
 * @param {import("./types.js").Model} model
 * @param {{inAddress?: boolean, language?: string}} [how]
 * @returns {Promise<{studio: Studio, dispose: () => void}>}
 */
export async function open(element, model, how = {}) {
  const { inAddress = true, language } = how;
  const state = new State(DEFAULTS, inAddress);
  const chosen = () => state.get("lang") || language || (navigator.language.startsWith("ko") ? "ko" : "en");
  const { networks } = await model.ask("networks");
  const known = (/** @type {string} */ id) => networks.find((/** @type {any} */ each) => each.id === id)?.id ?? networks[0].id;

  /** @type {Studio} */
  const studio = {
    model, state, seen: null,
    network: await model.ask("network", { network: known(state.get("network")) }),
    text: texts(chosen()),
    announce: (words) => { spoken.textContent = words; },
    ask: (question, args = {}, options = {}) => asked(studio, question, args, options),
    see: async (args) => {
      const seen = await model.ask("see", { network: studio.network.id, ...args });
      studio.seen = seen;
      tell(new Set(["seen"]));
      return seen;
    },
  };

  const spoken = make("p", { class: "spoken", role: "status" });
  const header = make("header", { class: "top" }), aside = make("aside", { class: "beside" });
  const tabs = make("nav", { class: "tabs" }), main = make("main", { id: "view", tabindex: -1 });
  element.classList.add("studio");
  element.append(header, aside, make("div", { class: "middle" }, tabs, main), spoken);

  /** @type {import("./types.js").View[]} */
  const lasting = [];
  /** @type {import("./types.js").View | null} */
  let current = null;
  let shown = "";

  /** @param {Set<string>} changed */
  function tell(changed) {
    for (const view of lasting) view.update(changed);
    current?.update(changed);
  }

  function dress() { // what depends on language and theme
    document.documentElement.lang = chosen();
    const theme = state.get("theme");
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    studio.text = texts(chosen());
    tabs.setAttribute("aria-label", studio.text("views"));
    tabs.replaceChildren(...views.filter(({ needs }) => needs.every((each) => studio.network.can.includes(each))).map(({ name }) =>
      make("a", { href: "#", "data-view": name, text: studio.text(`${name}.title`), onclick: (/** @type {Event} */ event) => {
        event.preventDefault();
        state.set({ view: name }, { step: true });
      } })));
    title();
    mark();
  }

  function title() {
    const choice = make("select", { "aria-label": studio.text("network"), onchange: (/** @type {any} */ e) => state.set({ network: e.target.value, image: "", value: "", unit: "", class: "" }, { step: true }) },
      ...networks.map((/** @type {any} */ each) => make("option", { value: each.id, text: each.name, selected: each.id === studio.network.id })));
    const dark = make("button", { type: "button", text: studio.text("theme"), onclick: () => {
      const is = document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
      state.set({ theme: is ? "light" : "dark" });
    } });
    const other = chosen() === "ko" ? "en" : "ko";
    const tongue = make("button", { type: "button", lang: other, text: other === "ko" ? "한국어" : "English", onclick: () => state.set({ lang: other }) });
    header.replaceChildren(make("h1", { text: "Pellucid" }), choice, make("span", { class: "gap" }), tongue, dark);
    document.title = `${studio.network.name} · Pellucid`;
  }

  function mark() {
    for (const link of tabs.children)
      if (/** @type {HTMLElement} */ (link).dataset.view === shown) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
  }

  function show() {
    const wanted = views.find(({ name }) => name === state.get("view")) ?? views[0];
    if (wanted.name === shown) return;
    current?.dispose();
    main.replaceChildren();
    shown = wanted.name;
    current = wanted.mount(main, studio);
    mark();
  }

  const off = state.subscribe(async (changed) => {
    if (changed.has("network")) {
      studio.network = await model.ask("network", { network: known(state.get("network")) });
      studio.seen = null;
      changed.add("seen");
    }
    if (changed.has("lang") || changed.has("theme") || changed.has("network")) dress();
    if (changed.has("view")) show();
    tell(changed);
  });
  const offChanged = model.on("changed", async ({ network }) => {
    if (network !== studio.network.id) return;
    if (studio.seen) await studio.see({ numbers: studio.seen.numbers });
    tell(new Set(["weights"]));
  });

  dress();
  for (const { mount } of besides) lasting.push(mount(aside, studio));
  show();
  return {
    studio,
    dispose: () => { off(); offChanged(); current?.dispose(); lasting.forEach((view) => view.dispose()); element.replaceChildren(); },
  };
}

/**
 * Asks about the network of the moment; an image that is no longer kept is given once more.
 * @param {Studio} studio
 * @param {string} question
 * @param {any} args
 * @param {any} options
 */
async function asked(studio, question, args, options) {
  const whole = { network: studio.network.id, ...args };
  try {
    return await studio.model.ask(question, whole, options);
  } catch (error) {
    if (/** @type {any} */ (error).kind !== "forgotten" || !studio.seen || args.image !== studio.seen.image) throw error;
    await studio.model.ask("see", { network: studio.network.id, numbers: studio.seen.numbers });
    return studio.model.ask(question, whole, options);
  }
}
