// What travels between a page and Python; studio/questions/ has what each question answers.

/** @typedef {Float32Array | Float64Array | Uint8Array | Int32Array | Uint32Array} Numbers */
/** @typedef {{shape: number[], data: Numbers}} NDArray Row-major, as NumPy's. */

/**
 * A value: number 0 is the image, number k the output of the k-th layer.
 * @typedef {object} Value
 * @property {number} id
 * @property {string} path   Of the layer: "layer1.0.conv1".
 * @property {string} kind   Its class: "Conv2d".
 * @property {string} title
 * @property {string} repr   In constructor form.
 * @property {number[]} reads   The values that the layer reads.
 * @property {number[]} shape   Without N.
 * @property {number} parameters
 * @property {number} products   Multiply-adds for one image.
 * @property {{size: number[], stride: number[], start: number[], everything: boolean}} field
 * @property {{key: string, shape: number[], trainable: boolean}[]} weights
 * @property {number} stage   The value after the normalization and activation that follow.
 */

/**
 * Places of a graph (studio/graph_layout.py): [id, column, lane], [from, to, lane], and the columns
 * after which a row may end.
 * @typedef {{boxes: number[][], edges: number[][], breaks: number[]}} Layout
 */

/**
 * @typedef {object} Network
 * @property {string} id
 * @property {string} name
 * @property {string} title
 * @property {string[]} classes
 * @property {number[]} input   (C, H, W)
 * @property {number[]} range   The smallest and the largest number of an image.
 * @property {{channels: number, size: number[], drawing: boolean, text: string}} preparation
 * @property {string | null} dataset
 * @property {boolean} data   Whether images go with it: `gallery` has them.
 * @property {Value[]} values
 * @property {{stages: Layout, values: Layout}} layout   Of a graph with a box for each stage, or value.
 * @property {number[]} outputs
 * @property {number} parameters
 * @property {string[]} can   The questions that are answered here.
 */

/**
 * The image that the network sees, and what it makes of it.
 * @typedef {object} Seen
 * @property {string} image   Its id.
 * @property {NDArray} numbers   (C, H, W), as the network gets them.
 * @property {string} how   What was done to the picture.
 * @property {NDArray} scores
 * @property {NDArray | null} probabilities
 * @property {number | null} label
 * @property {string | null} source   What the address says of it ("test:12", "drawn:..."); null of a
 *   line that is still being drawn.
 * @property {number} [turn]   Which of the images that were asked for on the sheet it is.
 * @property {number} milliseconds
 */

/**
 * Who answers questions: the server, a notebook's kernel, or a worker in a single file.
 * @typedef {object} Model
 * @property {(name: string, args?: object, options?: {signal?: AbortSignal,
 *   progress?: (done: number, of: number) => void}) => Promise<any>} ask
 * @property {(event: string, handler: (data: any) => void) => () => void} on
 *   Events of the studio, and "connection" {lost} when the one who answers is gone or back.
 */

/**
 * What every view gets.
 * @typedef {object} Studio
 * @property {Model} model
 * @property {Network} network   Of the moment; replaced when another one is opened.
 * @property {Seen | null} seen
 * @property {import("./state.js").State} state
 * @property {(key: string, values?: Record<string, string | number>) => string} text
 * @property {(view: string) => boolean} offers   Whether there is a view of this name.
 * @property {(words: string) => void} announce   To those who listen instead of looking.
 * @property {(question: string, args?: object, options?: object) => Promise<any>} ask
 *   Asks about the network of the moment.
 * @property {(args: object | null, more?: Partial<Seen>) => Promise<Seen | null>} see
 *   Gives the network another image, or none; `more` is what else is known of it.
 */

/**
 * A view in its element. `update` is told what has changed: keys of the state, "network", "seen" or
 * "weights", "theme" (draw canvases again) or "lang" (a view of the middle is then mounted anew).
 * @typedef {{update: (changed: Set<string>) => void, dispose: () => void}} View
 */

export {};
