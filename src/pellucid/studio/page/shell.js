// The studio around its views: which network, which image, which view, in which language.

import { chosenValue } from "./choice.js";
import { isDark } from "./colours.js";
import { make } from "./dom.js";
import { preferences } from "./preferences.js";
import { listen, showKeys } from "./shortcuts.js";
import { State, written } from "./state.js";
import { texts } from "./text.js";
import { above, besides, views } from "./views/index.js";

/** @typedef {import("./types.js").Studio} Studio */

const DEFAULTS = { view: "network" };
const WHILE_DRAWN = 150; // milliseconds from one image of the view to the next

/**
 * Opens the studio in an element.
 * @param {HTMLElement} element
 * @param {import("./types.js").Model} model
 * @param {{inAddress?: boolean, language?: string}} [how]
 * @returns {Promise<{studio: Studio, dispose: () => void}>}
 */
export async function open(element, model, how = {}) {
  const { inAddress = true, language } = how;
  const state = new State(DEFAULTS, inAddress), chosen = preferences(state, language);
  let { networks } = await model.ask("networks");
  const known = (/** @type {string} */ id) =>
    networks.find((/** @type {any} */ each) => each.id === id)?.id ?? networks[0].id;

  let asks = 0, answered = 0; // of images: the answer about one never takes the place of a later one's
  /** @type {Studio} */
  const studio = {
    model, state, seen: null,
    network: await model.ask("network", { network: known(state.get("network")) }),
    text: texts(chosen.language()),
    offers: (view) => offered().some(({ name }) => name === view),
    announce: (words) => { spoken.textContent = words; },
    ask: (question, args = {}, options = {}) => asked(studio, question, args, options),
    see: async (args, more = {}) => {
      const { network } = studio, turn = ++asks;
      const ask = () => model.ask("see", { network: network.id, ...args });
      const seen = args && await ask().catch((error) => { // a look with other weights may have taken its place
        if (error.kind !== "superseded" || turn < asks) throw error;
        return ask();
      });
      if (network !== studio.network || turn < answered) return seen; // another one is shown by now
      answered = turn;
      const { part, index } = /** @type {any} */ (args ?? {}), source = part ? `${part}:${index}` : "";
      studio.seen = seen && { source, ...seen, ...more };
      if (studio.seen?.source) state.set({ image: studio.seen.source });
      tellOfImage();
      return studio.seen;
    },
  };

  const spoken = make("p", { class: "spoken", role: "status" });
  const skip = make("button", { type: "button", class: "skip", onclick: () => main.focus() });
  const banner = make("p", { class: "banner", role: "alert", hidden: true });
  const header = make("header", { class: "top" }), aside = make("aside", { class: "beside" });
  const tabs = make("nav", { class: "tabs" }), over = make("section", { class: "over" });
  const main = make("main", { id: "view", tabindex: -1 });
  element.classList.add("studio");
  element.append(skip, banner, header, aside, make("div", { class: "middle" }, tabs, over, main), spoken);

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

  /** @type {any} */
  let later;

  /** First the answer is shown; the view asks its own questions after that, and not for each stretch of a line. */
  function tellOfImage() {
    const changed = new Set(["seen"]), tellView = () => { later = undefined; current?.update(changed); };
    for (const view of lasting) view.update(changed);
    if (studio.seen?.source === null) later ??= setTimeout(tellView, WHILE_DRAWN);
    else {
      clearTimeout(later);
      later = setTimeout(tellView);
    }
  }

  const offered = () => views.filter(({ needs }) => needs.every((each) => studio.network.can.includes(each)));
  const wanted = () => offered().find(({ name }) => name === state.get("view")) ?? offered()[0];
  const choose = (/** @type {string} */ view) => state.set({ view }, { step: true });

  function dress() { // what depends on language, theme and network
    (inAddress ? document.documentElement : element).lang = chosen.language();
    if (chosen.theme()) document.documentElement.dataset.theme = chosen.theme();
    else delete document.documentElement.dataset.theme;
    const text = studio.text = texts(chosen.language());
    if (inAddress) document.title = `${studio.network.name} · Pellucid`;
    skip.textContent = text("shell.skip");
    banner.textContent = text("shell.lost");
    aside.setAttribute("aria-label", text("image.title"));
    tabs.setAttribute("aria-label", text("shell.views"));
    over.setAttribute("aria-label", text("shell.over"));
    tabs.replaceChildren(...offered().map(({ name }) => make("a", {
      "data-view": name, text: text(`${name}.title`), onclick: (/** @type {MouseEvent} */ event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab or window of the browser
        event.preventDefault();
        choose(name);
      },
    })));
    top();
    mark();
  }

  function top() {
    const { text } = studio, other = chosen.language() === "ko" ? "en" : "ko";
    const choice = make("select", {
      "aria-label": text("shell.network"),
      onchange: (/** @type {any} */ event) => {
        const drawn = state.get("image").startsWith("drawn:");
        const next = { network: event.target.value, value: "", unit: "", class: "" };
        state.set(drawn ? next : { ...next, image: "" }, { step: true });
      },
    }, ...networks.map((/** @type {any} */ each) =>
      make("option", { value: each.id, text: each.name, selected: each.id === studio.network.id })));
    header.replaceChildren(
      make("h1", { text: "Pellucid" }), choice, make("span", { class: "gap" }),
      make("button", { type: "button", class: "quiet", text: "?", title: text("shell.keys"),
        "aria-label": text("shell.keys"), onclick: () => showKeys(element, text) }),
      make("button", { type: "button", class: "quiet", lang: other,
        text: other === "ko" ? "한국어" : "English", onclick: () => chosen.choose("lang", other) }),
      make("button", { type: "button", class: "quiet", text: text(isDark() ? "shell.light" : "shell.dark"),
        onclick: () => chosen.choose("theme", isDark() ? "light" : "dark") }));
  }

  function mark() {
    for (const link of /** @type {Iterable<HTMLAnchorElement>} */ (tabs.children)) {
      const view = /** @type {string} */ (link.dataset.view);
      link.href = `#${written({ ...state.values, view })}`;
      if (view === shown) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  function show(again = false) {
    const { name, mount, overview = true } = wanted();
    if (name === shown && !again) return;
    const focused = main.contains(document.activeElement);
    current?.dispose();
    main.replaceChildren(make("h2", { class: "spoken", text: studio.text(`${name}.title`) }));
    shown = name;
    const graph = over.querySelector(":scope > .part-overview");
    if (graph) graph.hidden = !overview;
    current = mount(main, studio);
    if (focused && !main.contains(document.activeElement)) main.focus({ preventScroll: true });
  }

  /** @type {Set<string>} What has changed along with the network, and is told with it. */
  let untold = new Set();

  /** @param {Set<string>} changed */
  async function follow(changed) {
    if (changed.has("network")) {
      for (const each of changed) untold.add(each);
      if (!await arrive()) return;
      [changed, untold] = [untold, new Set()];
    }
    if (changed.has("lang") || changed.has("theme") || changed.has("network")) {
      const place = [...header.children].findIndex((each) => each === document.activeElement);
      dress();
      if (place >= 0) /** @type {HTMLElement} */ (header.children[place]).focus();
    }
    show(changed.has("lang"));
    mark();
    tell(changed);
  }

  /** Opens the network of the state; false if another one is wanted, or told, by then. */
  async function arrive() {
    try {
      ({ networks } = await model.ask("networks")); // it may be a new one
      const wanted = known(state.get("network"));
      if (wanted !== studio.network.id) {
        const network = await model.ask("network", { network: wanted });
        if (known(state.get("network")) !== wanted) return false;
        Object.assign(studio, { network, seen: null });
        untold.add("seen");
      }
    } catch (error) {
      state.set({ network: studio.network.id });
      studio.announce(/** @type {Error} */ (error).message);
    }
    return untold.size > 0;
  }

  let looking = false, again = false;

  /** Looks at the image with other weights; they may change faster than that. */
  async function look() {
    again = looking;
    if (looking) return;
    looking = true;
    do {
      again = false;
      const { network, seen } = studio;
      const now = seen && await model.ask("see", { network: network.id, numbers: seen.numbers }).catch(() => null);
      if (now && studio.seen === seen) {
        studio.seen = { ...seen, scores: now.scores, probabilities: now.probabilities };
        tell(new Set(["seen"]));
      }
      tell(new Set(["weights"]));
    } while (again);
    looking = false;
  }

  /** @param {number} by   Values on, or back. */
  function go(by) {
    const last = studio.network.values.length - 1, { id } = chosenValue(studio);
    state.set({ value: Math.min(Math.max(id + by, 0), last), unit: "" });
  }

  const dark = matchMedia("(prefers-color-scheme: dark)"), darkened = () => follow(new Set(["theme"]));
  dark.addEventListener("change", darkened);
  const ends = [
    () => dark.removeEventListener("change", darkened),
    state.subscribe(follow),
    model.on("changed", ({ network }) => { if (network === studio.network.id) look(); }),
    model.on("networks", async () => {
      ({ networks } = await model.ask("networks"));
      if (known(studio.network.id) === studio.network.id) top();
      else await follow(new Set(["network"])); // that of the moment was closed
    }),
    model.on("connection", ({ lost }) => { banner.hidden = !lost; }),
    listen(inAddress ? document : element, (key) => {
      const view = offered()[Number(key) - 1];
      if (view) return () => choose(view.name);
      return { "?": () => showKeys(element, studio.text), "[": () => go(-1), "]": () => go(1),
        d: () => /** @type {HTMLElement | null} */ (element.querySelector(".drawing"))?.focus() }[key];
    }),
  ];

  dress();
  for (const [place, entries] of /** @type {const} */ ([[aside, besides], [over, above]]))
    for (const { name, mount } of entries)
      lasting.push(mount(place.appendChild(make("div", { class: `part-${name}` })), studio));
  show();
  mark();
  return {
    studio,
    dispose: () => {
      clearTimeout(later);
      for (const end of ends) end();
      for (const view of [...lasting, current]) view?.dispose();
      element.replaceChildren();
    },
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
    const forgotten = /** @type {any} */ (error).kind === "forgotten";
    if (!forgotten || !studio.seen || args.image !== studio.seen.image) throw error;
    await givenAgain(studio, studio.seen);
    return studio.model.ask(question, whole, options);
  }
}

/** @type {WeakMap<import("./types.js").Seen, Promise<any>>} Images on their way: several questions miss them at once. */
const giving = new WeakMap();

/**
 * @param {Studio} studio
 * @param {import("./types.js").Seen} seen
 */
function givenAgain({ model, network }, seen) {
  const given = giving.get(seen) ?? model.ask("see", { network: network.id, numbers: seen.numbers })
    .finally(() => giving.delete(seen));
  giving.set(seen, given);
  return given;
}
