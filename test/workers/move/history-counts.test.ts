import { appendFileSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { JobsError } from "../../../shared/errors.ts";
import { completedColumn, filesOf, newArea } from "../../support/area.ts";
import {
  historyOf,
  type RunOptions,
  reduceAndKill,
  reduceSafely,
  runReduce,
  runRestore,
} from "../../support/queue.ts";

interface Line {
  jobId: string;
  state: string;
  moved: { runs: number; tests: number };
}

const linesOf = (area: SampleArea) => historyOf(area) as unknown as Line[];
const countedBy = (area: SampleArea) => linesOf(area).map(({ jobId, moved }) => [jobId, moved.runs]);

/** Every run and test of completed-runs.db is counted, and none twice. */
function expectCountedOnce(area: SampleArea): void {
  const sum = (table: "runs" | "tests") =>
    linesOf(area).reduce((total, line) => total + line.moved[table], 0);
  expect(sum("runs")).toBe(completedColumn(area, "SELECT count(*) FROM runs")[0]);
  expect(sum("tests")).toBe(completedColumn(area, "SELECT count(*) FROM tests")[0]);
}

/** Batches of one run each: a batch takes as many runs as have a thousand tests. */
const build = (runs = 4) => newArea({ runs, inFlight: 0, testsPerRun: 900, stepsPerTest: 0, dataPerTest: 0 });

/** Ends a reduce with `code` once the first run is gone everywhere, its last state not written yet. */
async function endAfterFirst(
  area: SampleArea,
  code: "cancelled" | "stopped",
  run: RunOptions,
): Promise<void> {
  const abort = new AbortController();
  const failpoint = (step: string) => {
    if (step === "removed-from-area") abort.abort(new JobsError(code, "asked to"));
  };
  const ended = runReduce(area, {}, { ...run, failpoint, signal: abort.signal });
  await expect(ended).rejects.toMatchObject({ code });
}

describe("the history counts each moved run once", () => {
  it("where a job was cancelled between removing a run and saying that it is moved", async () => {
    const area = build();
    const writer = new Database(filesOf(area).completedDb);
    writer.pragma("journal_mode = DELETE");
    const abort = new AbortController();
    const failpoint = (step: string) => {
      if (step !== "removed-from-area" || abort.signal.aborted) return;
      // The run's state cannot be written now, so the job gives up after its grace.
      writer.exec("BEGIN IMMEDIATE");
      abort.abort(new JobsError("cancelled", "asked to"));
    };
    const ended = runReduce(area, {}, { jobId: "cancelled", failpoint, signal: abort.signal });
    await expect(ended).rejects.toMatchObject({ code: "cancelled" });
    writer.exec("ROLLBACK");
    writer.close();
    expect(completedColumn(area, "SELECT count(*) FROM mtjobs_runs WHERE state = 'moved'")).toEqual([0]);
    expect(countedBy(area)).toEqual([["cancelled", 0]]);
    await reduceSafely(area, {}, { jobId: "next" });
    expect(countedBy(area)).toEqual([
      ["cancelled", 0],
      ["next", 4],
    ]);
    expectCountedOnce(area);
  });

  it("where a cancelled job brought what was in hand to its end", async () => {
    const area = build();
    await endAfterFirst(area, "cancelled", { jobId: "cancelled" });
    const before = countedBy(area);
    expect(before).toEqual([["cancelled", expect.any(Number)]]);
    await reduceSafely(area, {}, { jobId: "next" });
    expect(countedBy(area)[0]).toEqual(before[0]);
    expectCountedOnce(area);
  });

  it("where a job was put back and went on under its id: one line, for all that it moved", async () => {
    const area = build();
    await endAfterFirst(area, "stopped", { jobId: "same" });
    expect(historyOf(area)).toEqual([]);
    const { result } = await reduceSafely(area, {}, { jobId: "same" });
    expect(result.moved).toMatchObject({ runs: 4, tests: 3600 });
    expect(countedBy(area)).toEqual([["same", 4]]);
  });

  it("where a job was killed and never came back: the next one counts what it moved", async () => {
    const area = build();
    expect(await reduceAndKill(area, "moved", 1)).toBe("SIGKILL");
    const { result, story } = await reduceSafely(area, {}, { jobId: "next" });
    expect(result.moved.runs).toBe(4);
    expect(story.join()).toMatch(/This job also counts what reduce-\w+ moved without a line in the history/);
    expect(countedBy(area)).toEqual([["next", 4]]);
    expect((await reduceSafely(area, {}, { jobId: "last" })).result.moved.runs).toBe(0);
  });

  it("where a job could not write its line at its end: it says so, has its result, and the next one counts too", async () => {
    const area = build();
    const history = join(area.directory, ".mtjobs", "history.jsonl");
    const failpoint = (step: string) => {
      if (step === "looked-again") mkdirSync(history);
    };
    const { result } = await reduceSafely(area, {}, { jobId: "first", failpoint });
    expect(result).toMatchObject({ state: "completed", moved: { runs: 4, tests: 3600 } });
    expect(result.warnings).toEqual([
      `the history could not be written (${history} is not a regular file): the next job on the area also counts what this one moved`,
    ]);
    rmdirSync(history);
    const { story } = await reduceSafely(area, {}, { jobId: "next" });
    expect(story.join()).toContain("This job also counts what first moved without a line");
    expect(countedBy(area)).toEqual([["next", 4]]);
  });

  it("where a job failed in a way that is tried again: its line waits for the last try", async () => {
    const area = build();
    const failpoint = (step: string) => {
      if (step === "removed-from-area") throw Object.assign(new Error("the disk is gone"), { code: "EIO" });
    };
    await expect(runReduce(area, {}, { jobId: "same", failpoint, triedAgain: true })).rejects.toThrow(
      "the disk is gone",
    );
    expect(historyOf(area)).toEqual([]);
    await reduceSafely(area, {}, { jobId: "same" });
    expect(countedBy(area)).toEqual([["same", 4]]);
  });
});

describe("the history counts each restored run once", () => {
  /** Ends a restore as a kill would: it writes no line. */
  function dieAt(step: string): RunOptions {
    const failpoint = (name: string) => {
      if (name === step) throw new JobsError("stopped", "died");
    };
    return { jobId: "dead", failpoint };
  }

  const restoredBy = (area: SampleArea) =>
    historyOf(area).flatMap((line) => {
      const { jobId, job, moved, finished } = line as unknown as Line & { job: string; finished?: Finished };
      const counts = job === "restore" ? moved : finished?.restore;
      return counts === undefined || counts.runs === 0 ? [] : [[jobId, counts.runs, counts.tests]];
    });

  interface Finished {
    restore?: Line["moved"];
  }

  async function reduced(): Promise<SampleArea> {
    const area = build(2);
    await runReduce(area, {}, { jobId: "reduce" });
    return area;
  }

  it.each(["restored", "let-go"])("by its next try where it was killed at %s", async (step) => {
    const area = await reduced();
    await expect(runRestore(area, {}, dieAt(step))).rejects.toThrow("died");
    const { result } = await runRestore(area, {}, { jobId: "dead" });
    expect(result.moved).toMatchObject({ runs: 2, tests: 1800 });
    expect(result.runs.map(({ id }) => id).sort()).toEqual([1, 2]);
    expect(restoredBy(area)).toEqual([["dead", 2, 1800]]);
  });

  it("by the next job where it never came back, and by none after that", async () => {
    const area = await reduced();
    await expect(runRestore(area, {}, dieAt("let-go"))).rejects.toThrow("died");
    const { result } = await runReduce(area, { runname: "none" }, { jobId: "next" });
    expect(result).toMatchObject({ moved: { runs: 0 }, finished: { restore: { runs: 1, tests: 900 } } });
    await runRestore(area, {}, { jobId: "rest" });
    expect(restoredBy(area)).toEqual([
      ["next", 1, 900],
      ["rest", 1, 900],
    ]);
  });
});

describe("a history with a line of some megabytes, as jobs with many warnings once left it", () => {
  it("still tells which job counted a run, so that the next one counts none again", async () => {
    const area = build(2);
    await runReduce(area, {}, { jobId: "first" });
    const warnings = Array.from(
      { length: 90_000 },
      (_, n) => `run ${n} stays: completed-runs.db rejects its rows`,
    );
    const line = { jobId: "wordy", state: "completed", moved: { runs: 0, tests: 0 }, warnings };
    appendFileSync(join(area.directory, ".mtjobs", "history.jsonl"), `${JSON.stringify(line)}\n`);
    const { result } = await runReduce(area, {}, { jobId: "second" });
    expect(result.moved.runs).toBe(0);
    expect(countedBy(area)).toEqual([
      ["first", 2],
      ["wordy", 0],
      ["second", 0],
    ]);
  });

  it("is left by no job any more: a line has 20 warnings, and says how many more the result has", async () => {
    const area = build(1);
    await runReduce(area, {}, { jobId: "first" });
    const db = new Database(filesOf(area).completedDb);
    const renumbered = db.prepare("INSERT INTO mtjobs_renumbered VALUES ('runs', ?, ?, 'first', 1)");
    const runId = Array.from({ length: 1200 }, (_, n) => n + 1000);
    for (const id of runId) renumbered.run(id, id + 100_000);
    db.close();
    const { result } = await runReduce(area, { runname: undefined, runId }, { jobId: "wordy" });
    expect([result.warnings.length, result.truncated]).toEqual([1000, true]);
    expect(result.warnings[0]).toBe("the run with id 1000 now has id 101000: use that");
    const line = historyOf(area).at(-1) as { jobId: string; warnings?: string[] } | undefined;
    expect(line).toMatchObject({ jobId: "wordy", moreWarnings: 980, truncated: true });
    expect(line?.warnings).toEqual(result.warnings.slice(0, 20));
  });
});
