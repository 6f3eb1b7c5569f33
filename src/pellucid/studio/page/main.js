// The page that the server sends.

import { serverModel } from "./server_model.js";
import { open } from "./shell.js";
import { learn } from "./text.js";

const [en, ko] = await Promise.all(["en", "ko"].map(async (language) => (await fetch(`texts/${language}.json`)).json()));
learn("en", en);
learn("ko", ko);
await open(document.body, serverModel());
