// What a page shows, in its address: to be linked, bookmarked, and gone back to.

/** @typedef {Record<string, string>} Values */

/** The state of a page; without an address of its own (a notebook), kept in memory. */
export class State {
  /**
   * @param {Values} [defaults]
   * @param {boolean} [inAddress]
   */
  constructor(defaults = {}, inAddress = true) {
    this.defaults = defaults;
    this.inAddress = inAddress;
    /** @type {Set<(changed: Set<string>) => void>} */
    this.listeners = new Set();
    this.values = inAddress ? parsed(location.hash) : {};
    if (inAddress) addEventListener("hashchange", () => this.replace(parsed(location.hash)));
  }

  /**
   * @param {string} key
   * @returns {string} "" if it is not set.
   */
  get(key) {
    return this.values[key] ?? this.defaults[key] ?? "";
  }

  /**
   * @param {string} key
   * @returns {number} NaN if it is not a number.
   */
  number(key) {
    return this.get(key) === "" ? NaN : Number(this.get(key));
  }

  /**
   * Returns the indices of the unit, or null.
   * @returns {number[] | null}
   */
  unit() {
    const text = this.get("unit");
    return /^\d+(\.\d+)*$/.test(text) ? text.split(".").map(Number) : null;
  }

  /**
   * Sets some keys; "" or null removes one.
   * @param {Record<string, string | number | null>} given
   * @param {{step?: boolean}} [how]   `step`: what "back" in the browser returns to.
   */
  set(given, how = {}) {
    const next = { ...this.values };
    for (const [key, value] of Object.entries(given))
      if (value === null || value === "") delete next[key];
      else next[key] = String(value);
    if (this.inAddress && how.step) history.pushState(null, "", `#${written(next)}`);
    else if (this.inAddress) history.replaceState(null, "", `#${written(next)}`);
    this.replace(next);
  }

  /**
   * Takes a whole state, as that of a lesson's step.
   * @param {Values} next
   */
  replace(next) {
    const keys = [...Object.keys(next), ...Object.keys(this.values)];
    const changed = new Set(keys.filter((key) => next[key] !== this.values[key]));
    this.values = next;
    if (changed.size) this.tell(changed);
  }

  /**
   * Tells those who listen what has changed.
   * @param {Set<string>} changed
   */
  tell(changed) {
    for (const listener of [...this.listeners]) listener(changed);
  }

  /**
   * @param {(changed: Set<string>) => void} listener
   * @returns {() => void} what ends it
   */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/**
 * @param {string} hash
 * @returns {Values}
 */
export function parsed(hash) {
  return Object.fromEntries(new URLSearchParams(hash.replace(/^#/, "")));
}

/**
 * @param {Values} values
 * @returns {string}
 */
export function written(values) {
  return new URLSearchParams(values).toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
}
