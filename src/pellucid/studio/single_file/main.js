// The page in one file: the same views as the studio's, with a model object that computes here.

import { open } from "../page/shell.js";
import { learn } from "../page/text.js";
import { fileModel } from "./model.js";

const content = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id)).textContent ?? "";
const page = JSON.parse(content("page"));
for (const [language, texts] of Object.entries(page.texts)) learn(language, texts);
open(document.body, fileModel(page, content("weights"), content("worker")), { language: page.language ?? undefined });
