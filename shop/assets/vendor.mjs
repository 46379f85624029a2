// Copies what browsers get of other people's packages into ../static/shop/vendor, each with its licence: `npm run vendor`.
// What it makes is committed, so that running the shop needs no Node.
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";

const TAKEN = {
  "hls.min.js": "hls.js/dist/hls.min.js", // not the light one: it knows no sound of its own beside the pictures
  "hls.LICENSE": "hls.js/LICENSE",
  "tus.min.js": "tus-js-client/dist/tus.min.js",
  "tus.LICENSE": "tus-js-client/LICENSE",
};
const to = new URL("../static/shop/vendor/", import.meta.url);

await mkdir(to, { recursive: true });
for (const [name, from] of Object.entries(TAKEN)) {
  const source = new URL(`node_modules/${from}`, import.meta.url);
  if (name.endsWith(".js")) {
    // Without the name of its source map, which is three times its size and which collectstatic would look for.
    const text = await readFile(source, "utf8");
    await writeFile(new URL(name, to), text.replace(/^\/\/# sourceMappingURL=.*\n?/m, ""));
  } else {
    await cp(source, new URL(name, to));
  }
}
