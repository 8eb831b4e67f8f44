import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { builtFile } from "../../shared/process.ts";
import type { Measured } from "./mtjobs-reduce.ts";
import { say, tell } from "./report.ts";

const script = fileURLToPath(new URL("../test/bench/client.py", builtFile("")));
/** Milliseconds between two writes. */
const pauseMs = 10;
const limits = [1, 5, 10, 25, 60, 100, 250];

/** Whether Python and its SQLite are here. */
export function hasPython(): boolean {
  return spawnSync("python3", ["-c", "import sqlite3"]).status === 0;
}

/** Megatest's clients write without waiting for the disk (OFF); a program of another make does wait (FULL). */
type Synchronous = "OFF" | "FULL";

/** Does `work` while a client in Python, with SQLite's own way to wait, writes to the cache; tells the time of each write, ms. */
async function besideOther<T>(
  area: SampleArea,
  synchronous: Synchronous,
  work: () => Promise<T>,
): Promise<{ value: T; times: number[] }> {
  const client = spawn("python3", [script, area.cacheDb, String(pauseMs), synchronous], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(client.stdout)[Symbol.asyncIterator]();
  const closed = once(client, "close");
  try {
    await lines.next();
    const value = await work();
    client.stdin.end();
    const { value: times } = await lines.next();
    await closed;
    return { value, times: JSON.parse(String(times)) as number[] };
  } finally {
    client.kill();
  }
}

/** The time that a share of the writes did not exceed, ms. */
function percentile(times: readonly number[], share: number): number {
  const ordered = times.toSorted((a, b) => a - b);
  return ordered[Math.max(0, Math.ceil(ordered.length * share) - 1)] ?? Number.NaN;
}

/** `1,840 writes: 1,790 up to 1 ms, 30 up to 5 ms, …` */
function histogram(times: readonly number[]): string {
  const counts = limits.map((limit, index) => {
    const from = limits[index - 1] ?? -1;
    return `${times.filter((ms) => ms > from && ms <= limit).length} up to ${limit} ms`;
  });
  const above = times.filter((ms) => ms > (limits.at(-1) ?? 0)).length;
  const [middle, late, longest] = [0.5, 0.99, 1].map((share) => percentile(times, share).toFixed(1));
  return `${times.length} writes: ${counts.join(", ")}, ${above} longer; median ${middle} ms, 99 % within ${late} ms, longest ${longest} ms`;
}

interface Sides {
  afresh: <T>(work: () => Promise<T>) => Promise<T>;
  script: () => Promise<number>;
  mtjobs: () => Promise<Measured>;
}

const makes = {
  OFF: { wait: "wait-other", late: "late-other" },
  FULL: { wait: "wait-disk", late: "late-disk" },
} as const;

/** The same beside a client of another make, which does not wait for the disk, and which does. */
export async function compareOtherClient(
  area: SampleArea,
  rounds: number,
  { afresh, script, mtjobs }: Sides,
): Promise<void> {
  for (const [synchronous, figures] of Object.entries(makes) as [
    "OFF" | "FULL",
    (typeof makes)["OFF" | "FULL"],
  ][]) {
    const seen: { longest: number; late: number }[] = [];
    for (let round = 1; round <= rounds; round++) {
      const byHand = await afresh(() => besideOther(area, synchronous, script));
      const ours = await afresh(() => besideOther(area, synchronous, mtjobs));
      const scriptLongest = percentile(byHand.times, 1);
      seen.push({
        longest: percentile(ours.times, 1) / scriptLongest,
        late: percentile(ours.times, 0.99) / scriptLongest,
      });
      const times = `${ours.value.ms.toFixed(0)} ms / ${byHand.value.toFixed(0)} ms`;
      say(`round ${round}: beside a client in Python, synchronous=${synchronous}: ${times}`);
      say(`  mtjobs: ${histogram(ours.times)}`);
      say(`  script: ${histogram(byHand.times)}`);
    }
    tell(
      figures.wait,
      seen.map(({ longest }) => longest),
    );
    tell(
      figures.late,
      seen.map(({ late }) => late),
    );
  }
}
