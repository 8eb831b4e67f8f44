import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { casesOf, edit, integrityProblems, newArea, waitFor } from "../support/area.ts";
import {
  assertFinished,
  errorCodeOf,
  type FencePart,
  fenceFile,
  historyOf,
  runReduce,
  stoppedReduce,
  unionOf,
} from "../support/queue.ts";

const parts: readonly FencePart[] = ["area", "cache", "ref", "completed"];

/** The lease of the stopped job runs out, as it would in a minute. */
function letLeaseRunOut(area: SampleArea): void {
  edit(area, ["area"], (db) => db.exec("UPDATE mtjobs_fence SET expires_at = 1"));
}

/** What SQLite counts up with every commit that changes a file, and all that is in it. */
function commitsOf(area: SampleArea): unknown {
  return parts.map((part) => {
    const db = new Database(fenceFile(area, part), { readonly: true });
    try {
      const names = db
        .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .pluck()
        .all();
      const rows = names.map((name) => [name, db.prepare(`SELECT * FROM "${name}"`).raw().all()]);
      return [db.serialize().readUInt32BE(24), rows];
    } finally {
      db.close();
    }
  });
}

describe("a holder that was paused until another took over", () => {
  it.each(
    casesOf(
      [
        "copied",
        "committed-in-cache",
        "removed-from-area",
        "tokens-raised",
        "verified",
        "guarded-in-cache",
        "removed-from-cache",
        "moved",
        "looked-again",
      ] as const,
      4,
    ),
  )("at %s commits nothing in the area afterwards, and ends with lost-lease", async (step) => {
    // One batch: else another thread may be stopped within a commit, and hold up everybody until it goes on.
    const area = newArea({ runs: 5, testsPerRun: 10 });
    const before = unionOf(area);
    const paused = await stoppedReduce(area, step);
    letLeaseRunOut(area);
    await runReduce(area);
    assertFinished(area, before);
    const [commits, history] = [commitsOf(area), historyOf(area)];
    paused.child.kill("SIGCONT");
    const finished = await paused.finished;
    expect([finished.code, errorCodeOf(finished)], finished.stderr).toEqual([1, "lost-lease"]);
    expect(commitsOf(area)).toEqual(commits);
    expect(historyOf(area)).toEqual(history);
    assertFinished(area, before);
  });

  it("at releasing has done its work: it completes without touching the other's lease", async () => {
    const area = newArea({ runs: 4, testsPerRun: 5 });
    const paused = await stoppedReduce(area, "releasing");
    letLeaseRunOut(area);
    await runReduce(area, { runname: "none" });
    const commits = commitsOf(area);
    paused.child.kill("SIGCONT");
    expect((await paused.finished).code).toBe(0);
    expect(commitsOf(area)).toEqual(commits);
  });

  it("inside a transaction on the cache holds it until it goes on, and the other waits without harm", async () => {
    const area = newArea({ runs: 6, testsPerRun: 20 });
    const before = unionOf(area);
    const paused = await stoppedReduce(area, "deleted-in-cache");
    letLeaseRunOut(area);
    const story: string[] = [];
    const other = runReduce(area, {}, { failpoint: (step) => void story.push(step) });
    await waitFor("the other to take the lease", () => story.includes("lease-taken"));
    paused.child.kill("SIGCONT");
    expect((await paused.finished).code).toBe(1);
    await other;
    assertFinished(area, before);
    expect(integrityProblems(parts.map((part) => fenceFile(area, part)))).toEqual([]);
  });
});
