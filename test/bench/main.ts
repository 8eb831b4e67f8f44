// `npm run bench [-- --runs N] [-- --jobs N] [-- --rounds N] [-- --only reduce|profile|queries|start|migrate|scale]`: a reduce beside what a
// user would do by hand, queries over both databases beside the same in one, a pair on its way to another host, and many
// hosts' workers beside BullMQ's own, in one run.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { benchArea, copyArea, days, resetArea } from "./areas.ts";
import { compareGrowth, firstRuns } from "./growth.ts";
import { runHandScript } from "./hand-script.ts";
import { compareMigration } from "./migrate.ts";
import { type Measured, runReduce } from "./mtjobs-reduce.ts";
import { compareOtherClient, hasPython } from "./other-client.ts";
import { profileReduce } from "./profile.ts";
import { compareQueries } from "./queries.ts";
import { say, tell } from "./report.ts";
import { measureScale } from "./scale.ts";
import { compareStart } from "./start.ts";
import { beside } from "./writing-client.ts";

const benchNames = ["reduce", "profile", "queries", "start", "migrate", "scale"];
const { only, jobs, rounds, runs } = asked();

const directory = mkdtempSync(join(tmpdir(), "mtjobs-bench-"));
try {
  const wanted = (name: string) => only === undefined || only === name;
  if (wanted("reduce")) {
    await compareWithScript(join(directory, "reduce"));
    rmSync(join(directory, "reduce"), { recursive: true });
    await compareGrowth(join(directory, "growth"), runs, rounds);
  }
  if (wanted("profile")) await profileReduce(join(directory, "profile"), runs);
  if (wanted("queries")) await compareQueries(join(directory, "queries"), runs, Math.max(rounds, 9));
  if (wanted("start")) await compareStart(join(directory, "start"), rounds);
  if (wanted("migrate")) await compareMigration(join(directory, "migrate"), rounds);
  if (wanted("scale")) await measureScale(jobs, rounds);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

/** What the command line asks for; ends the program where it is none that we know. */
function asked(): { only: string | undefined; jobs: number; rounds: number; runs: number } {
  const text = { type: "string" } as const;
  try {
    const { values } = parseArgs({ options: { runs: text, jobs: text, rounds: text, only: text } });
    if (values.only !== undefined && !benchNames.includes(values.only))
      throw new RangeError(`--only ${values.only}: there is no such part`);
    const number = (name: "runs" | "jobs" | "rounds", otherwise: number) => {
      const value = values[name] ?? String(otherwise);
      if (!/^[1-9]\d*$/.test(value))
        throw new RangeError(`--${name} ${value}: not a whole number of at least 1`);
      return Number(value);
    };
    return {
      only: values.only,
      jobs: number("jobs", 10_000),
      rounds: number("rounds", 3),
      runs: number("runs", 2000),
    };
  } catch (error) {
    const usage = `[--only ${benchNames.join("|")}] [--rounds N] [--runs N] [--jobs N]`;
    process.stderr.write(`bench: ${(error as Error).message}; usage: npm run bench -- ${usage}\n`);
    process.exit(2);
  }
}

interface Round {
  time: number;
  timeBeside: number;
  wait: number;
}

/** The same nine tenths of the runs, by hand and by mtjobs: alone, and beside a client that writes to the cache. */
async function compareWithScript(place: string): Promise<void> {
  const original = benchArea(join(place, "original"), runs);
  const area = copyArea(original, join(place, "copy"));
  const cutoff = Math.floor(original.now - days * 0.1 * 86_400);
  const script = () => runHandScript(area, `event_time < ${cutoff} AND state <> 'deleted'`);
  const mtjobs = () => runReduce(area, ["--age", `${days * 0.1}d`]);
  const afresh = <T>(work: () => Promise<T>): Promise<T> => {
    resetArea(original, area);
    return work();
  };
  const seen: Round[] = [];
  let last: Measured | undefined;
  for (let round = 1; round <= rounds; round++) {
    const scriptAlone = await afresh(script);
    const ours = await afresh(mtjobs);
    const scriptBeside = await afresh(() => beside(area, directory, script));
    const oursBeside = await afresh(() => beside(area, directory, mtjobs));
    last = ours;
    seen.push({
      time: ours.ms / scriptAlone,
      timeBeside: oursBeside.value.ms / scriptBeside.value,
      wait: oursBeside.longestWaitMs / scriptBeside.longestWaitMs,
    });
    say(
      `round ${round}: ${ours.result.moved.runs} of ${runs} runs in ${ours.ms.toFixed(0)} ms / ${scriptAlone.toFixed(0)} ms; beside a client ` +
        `${oursBeside.value.ms.toFixed(0)} ms / ${scriptBeside.value.toFixed(0)} ms, its longest wait ${oursBeside.longestWaitMs.toFixed(0)} ms / ${scriptBeside.longestWaitMs.toFixed(0)} ms`,
    );
  }
  const valuesOf = (name: keyof Round) => seen.map((one) => one[name]);
  tell("time", valuesOf("time"));
  tell("time-beside", valuesOf("timeBeside"));
  tell("wait", valuesOf("wait"));
  if (hasPython()) await compareOtherClient(area, rounds, { afresh, script, mtjobs });
  else say("a client in Python: needs python3");
  await compareMemory(original, area, last);
}

/** Peak memory of moving all against moving a tenth of it. */
async function compareMemory(
  original: ReturnType<typeof benchArea>,
  area: ReturnType<typeof benchArea>,
  all: Measured | undefined,
): Promise<void> {
  resetArea(original, area);
  const few = await runReduce(area, ["--run-id", firstRuns(runs / 10)]);
  if (all?.peakBytes === undefined || few.peakBytes === undefined) {
    say("peak memory: needs /proc");
    return;
  }
  tell("memory", [all.peakBytes / few.peakBytes]);
}
