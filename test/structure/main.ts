// `npm run structure`: prints how the product's source is built: sizes, folders, imports, words. `-- --list` adds each place.
import { measure } from "./measure.ts";
import { oldWords, proseOf } from "./prose.ts";
import { productDirectories, readSources } from "./sources.ts";

const sources = readSources(productDirectories);
const found = measure(sources);
const rows: [string, number | string][] = [
  ["files", found.files],
  ["lines", found.lines],
  ["functions", found.functions.count],
  ["lines of a function, median", found.functions.median],
  ["lines of a function, 90th percentile", found.functions.p90],
  ["lines of the longest function", found.functions.longest],
  ["functions over 60 lines", found.functions.over60.length],
  ["folders", found.folders.count],
  ["files in the largest folder", found.folders.largest],
  ["folders of more than 15 files", found.folders.over15.length],
  ["imports from a room beside or later", found.upward.length],
  ["files under 40 lines with one importer", found.smallFilesOfOne],
  ["exported names", found.exports.count],
  ["exported names that one file imports", found.exports.ofOneFile],
  ["words of the old register in strings", found.oldWords.strings],
  ["words of the old register in comments", found.oldWords.comments],
];
const width = Math.max(...rows.map(([name]) => name.length));
for (const [name, value] of rows) console.log(`${name.padEnd(width)}  ${value}`);
if (process.argv.includes("--list")) {
  for (const place of [
    ...found.functions.over60,
    ...found.folders.over15,
    ...found.upward,
    ...oldWords(sources.flatMap(proseOf)),
  ])
    console.log(place);
}
