// All views: those of the middle, one at a time, and those that are always beside or above it.

import * as back from "./back.js";
import * as build from "./build.js";
import * as errors from "./errors.js";
import * as field from "./field.js";
import * as image from "./image.js";
import * as keep from "./keep.js";
import * as lessons from "./lessons.js";
import * as maps from "./maps.js";
import * as network from "./network.js";
import * as overview from "./overview.js";
import * as training from "./training.js";
import * as unit from "./unit.js";

/**
 * `needs`: the questions without which a view is not offered; `overview`: whether the graph is above.
 * @typedef {{name: string, needs: string[], overview?: boolean, mount: (element: HTMLElement,
 *   studio: import("../types.js").Studio) => import("../types.js").View}} Entry
 */

/** @type {Entry[]} */
export const views = [
  { name: "network", needs: ["network"], mount: network.mount, overview: false },
  { name: "maps", needs: ["maps"], mount: maps.mount },
  { name: "unit", needs: ["unit", "maps"], mount: unit.mount },
  { name: "field", needs: ["field", "maps"], mount: field.mount },
  { name: "back", needs: ["way_back", "weight", "maps"], mount: back.mount },
  { name: "errors", needs: ["errors", "errors/cell", "why"], mount: errors.mount },
  { name: "training", needs: ["train/state"], mount: training.mount },
  { name: "build", needs: ["build", "build/words", "build/open"], mount: build.mount, overview: false },
];

/** @type {Entry[]} */
export const besides = [{ name: "image", needs: ["see"], mount: image.mount }];

/** @type {Entry[]} */
export const above = [
  { name: "lessons", needs: ["lessons"], mount: lessons.mount },
  { name: "keep", needs: ["network"], mount: keep.mount },
  { name: "overview", needs: ["network"], mount: overview.mount },
];
