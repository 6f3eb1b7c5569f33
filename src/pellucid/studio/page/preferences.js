// The language and the theme: those in the address, else those chosen here before, else the browser's.

const LANGUAGES = ["en", "ko"], THEMES = ["light", "dark"];

/**
 * @param {import("./state.js").State} state
 * @param {string} [given]   The language of the command or the notebook.
 */
export function preferences(state, given = "") {
  const chosen = (/** @type {string} */ key) => state.get(key) || remembered(key);
  return {
    /** @returns {string} */
    language: () => {
      const wanted = [chosen("lang"), given, ...navigator.languages.map((each) => each.slice(0, 2))];
      return wanted.find((each) => LANGUAGES.includes(each)) ?? "en";
    },
    /** "" is the browser's. */
    theme: () => THEMES.find((each) => each === chosen("theme")) ?? "",
    /** Sets one for this page and the next ones. */
    choose: (/** @type {"lang" | "theme"} */ key, /** @type {string} */ value) => {
      if (!remember(key, value) || state.get(key)) state.set({ [key]: value });
      else state.tell(new Set([key]));
    },
  };
}

/** @param {string} key */
function remembered(key) {
  try {
    return localStorage.getItem(`pellucid.${key}`) ?? "";
  } catch { // a page that may not keep anything
    return "";
  }
}

/** @param {string} key @param {string} value */
function remember(key, value) {
  try {
    localStorage.setItem(`pellucid.${key}`, value);
    return true;
  } catch {
    return false;
  }
}
