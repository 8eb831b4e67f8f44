// `npm run bench [-- --runs N] [-- --rounds N] [-- --only reduce|queries]`: a reduce beside what a user would do by
// hand, and queries over both databases beside the same in one, in one run.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { benchArea, copyArea, days, resetArea } from "./areas.ts";
import { runHandScript } from "./hand-script.ts";
import { type Measured, runReduce } from "./mtjobs-reduce.ts";
import { compareQueries } from "./queries.ts";
import { beside } from "./writing-client.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "2000" },
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
  },
});
const runs = Number(values.runs);
const rounds = Number(values.rounds);

const median = (numbers: number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number;
const say = (line: string) => process.stdout.write(`${line}\n`);
const ratio = (a: number, b: number) => (a / b).toFixed(3);

const directory = mkdtempSync(join(tmpdir(), "mtjobs-bench-"));
try {
  if (values.only !== "queries") {
    await compareWithScript();
    await compareSizes();
  }
  if (values.only !== "reduce") await compareQueries(join(directory, "queries"), runs, Math.max(rounds, 9));
} finally {
  rmSync(directory, { recursive: true, force: true });
}

/** The same nine tenths of the runs, by hand and by mtjobs, each beside a client that writes to the cache. */
async function compareWithScript(): Promise<void> {
  const original = benchArea(join(directory, "original"), runs);
  const area = copyArea(original, join(directory, "copy"));
  const cutoff = Math.floor(original.now - days * 0.1 * 86_400);
  const times: { script: number; mtjobs: number; scriptWait: number; mtjobsWait: number }[] = [];
  let last: Measured | undefined;
  for (let round = 0; round < rounds; round++) {
    resetArea(original, area);
    const script = await beside(area, directory, () => runHandScript(area, cutoff));
    resetArea(original, area);
    const mtjobs = await beside(area, directory, () => runReduce(area, ["--age", `${days * 0.1}d`]));
    last = mtjobs.value;
    times.push({
      script: script.value,
      mtjobs: mtjobs.value.ms,
      scriptWait: script.longestWaitMs,
      mtjobsWait: mtjobs.longestWaitMs,
    });
    say(
      `round ${round + 1}: ${last.result.moved.runs} of ${runs} runs; time ratio ` +
        `${ratio(mtjobs.value.ms, script.value)}; longest wait of a writing client, ratio ` +
        `${ratio(mtjobs.longestWaitMs, script.longestWaitMs)} (${mtjobs.longestWaitMs.toFixed(0)} ms / ${script.longestWaitMs.toFixed(0)} ms)`,
    );
  }
  say(
    `total time, mtjobs / script (median of ${rounds}): ${median(times.map((t) => t.mtjobs / t.script)).toFixed(2)}`,
  );
  say(
    `longest wait of a writing client, mtjobs / script (median): ${median(times.map((t) => t.mtjobsWait / t.scriptWait)).toFixed(3)}`,
  );
  await compareMemory(original, area, last);
}

/** Peak memory of moving all against moving a tenth of it. */
async function compareMemory(
  original: ReturnType<typeof benchArea>,
  area: ReturnType<typeof benchArea>,
  all: Measured | undefined,
): Promise<void> {
  resetArea(original, area);
  const few = await runReduce(area, ["--run-id", idList(runs / 10)]);
  if (all?.peakBytes === undefined || few.peakBytes === undefined) {
    say("peak memory: needs /proc");
    return;
  }
  say(
    `peak memory, ${all.result.moved.runs} runs / ${few.result.moved.runs} runs: ${ratio(all.peakBytes, few.peakBytes)}`,
  );
}

/** The same runs moved out of an area and out of one ten times smaller. */
async function compareSizes(): Promise<void> {
  const count = Math.max(1, Math.round(runs / 20));
  const large = benchArea(join(directory, "large"), runs);
  const small = benchArea(join(directory, "small"), runs / 10);
  const copies = [
    copyArea(large, join(directory, "large-copy")),
    copyArea(small, join(directory, "small-copy")),
  ] as const;
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    resetArea(large, copies[0]);
    const fromLarge = await runReduce(copies[0], ["--run-id", idList(count)]);
    resetArea(small, copies[1]);
    const fromSmall = await runReduce(copies[1], ["--run-id", idList(count)]);
    ratios.push(fromLarge.ms / fromSmall.ms);
  }
  say(
    `the same ${count} runs, out of ${runs} / out of ${runs / 10} (median of ${rounds}): ${median(ratios).toFixed(2)}`,
  );
}

function idList(count: number): string {
  return Array.from({ length: count }, (_, index) => index + 1).join(",");
}
