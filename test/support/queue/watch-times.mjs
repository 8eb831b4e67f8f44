// Polls the times of an area's databases until it is told to stop, then reports them. Started by watch-times.ts.
import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const [megatestDb, cacheDb] = process.argv.slice(2);
const names = new Set();
let worstMs = Number.NEGATIVE_INFINITY;
let rounds = 0;

function newest(file, seen) {
  const times = readdirSync(dirname(file))
    .filter((name) => name.startsWith(basename(file)))
    .map((name) => {
      seen?.add(name);
      return statSync(join(dirname(file), name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    });
  return Math.max(0, ...times);
}

function measure() {
  // The cache last: it can only have become newer since.
  const area = newest(megatestDb, names);
  worstMs = Math.max(worstMs, area - newest(cacheDb));
  rounds += 1;
}

measure();
const timer = setInterval(measure, 1);
process.on("message", () => {
  clearInterval(timer);
  measure();
  process.send({ worstMs, rounds, names: [...names] }, () => process.disconnect());
});
process.send("watching");
