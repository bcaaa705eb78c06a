// Puts `.br` and `.gz` beside each file of dist that gets smaller by it, so that the console need not compress while it serves.
// Fails where the search page's first load is over its budget.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = new URL("../dist", import.meta.url).pathname;
const TEXT = new Set([".js", ".css", ".html", ".svg", ".json", ".webmanifest"]);
// Bytes of script, compressed with gzip, that the search page may load before it is there.
const BUDGET = 200_000;

const files = (folder) =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });

for (const path of files(dist).filter((path) => TEXT.has(extname(path)))) {
  const bytes = readFileSync(path);
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params }));
}

// What index.html names, and what that imports without being asked to.
const first = new Set();
const follow = (name) => {
  if (first.has(name)) return;
  first.add(name);
  const text = readFileSync(join(dist, "assets", name), "utf8");
  for (const [, imported] of text.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) follow(imported);
};
const index = readFileSync(join(dist, "index.html"), "utf8");
for (const [, name] of index.matchAll(/(?:src|href)="\/assets\/([^"]+\.js)"/g)) follow(name);
const bytes = [...first].reduce((sum, name) => sum + statSync(join(dist, "assets", `${name}.gz`)).size, 0);
console.log(`first load: ${(bytes / 1000).toFixed(1)} kB of script, compressed with gzip; at most ${BUDGET / 1000}`);
if (bytes > BUDGET) process.exit(1);
