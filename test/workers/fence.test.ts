import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import type { JobsError } from "../../shared/errors.ts";
import { holderName } from "../../shared/lease/holder.ts";
import { leaseState } from "../../shared/lease/lease.ts";
import type { Connection } from "../../shared/sqlite/connection.ts";
import { connect } from "../../workers/area-db/databases.ts";
import { raiseFenceToken, releaseLease, takeLease } from "../../workers/area-db/fence.ts";
import { builtThreadUrl } from "../../workers/job-thread/job-threads.ts";
import { newArea, snapshot } from "../support/area.ts";
import {
  assertFinished,
  assertReleased,
  type FencePart,
  fenceFile,
  fencesOf,
  movedIds,
  onQueue,
  runReduce,
  runReduceProcess,
  unionOf,
} from "../support/queue.ts";

const parts: readonly FencePart[] = ["area", "cache", "ref", "completed"];

function change(area: SampleArea, part: FencePart, sql: string): void {
  const db = new Database(fenceFile(area, part), { fileMustExist: true, timeout: 10_000 });
  try {
    db.exec(sql);
  } finally {
    db.close();
  }
}

/** A lease of a worker on another host; `left` ms of it are left. */
function holdElsewhere(area: SampleArea, left: number): void {
  change(
    area,
    "area",
    `UPDATE mtjobs_fence SET holder = 'host-b/7/7', job_id = 'reduce-there', expires_at = ${Date.now() + left}`,
  );
}

/** An area whose oldest run has moved, so that every database has a fence with token 1. */
async function fencedArea(): Promise<SampleArea> {
  const area = newArea({ runs: 8, testsPerRun: 5 });
  await runReduce(area, { runname: undefined, runId: [1] });
  expect(fencesOf(area).area?.token).toBe(1);
  return area;
}

/** A connection of a job's code to one of the databases. */
function connectTo(area: SampleArea, part: FencePart): Connection {
  return connect({ area: area.megatestDb, completed: "", [part]: fenceFile(area, part) }, [part]);
}

/** Every table of mtjobs and of Megatest in a database, except the fence. */
function contentOf(area: SampleArea, part: FencePart): unknown {
  const db = new Database(fenceFile(area, part), { timeout: 10_000 });
  try {
    const tables = ["mtjobs_runs", "mtjobs_superseded"].filter((name) =>
      db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?").get(name),
    );
    const own = tables.map((name) => db.prepare(`SELECT * FROM ${name}`).raw().all());
    return [own, [...snapshot(fenceFile(area, part)).tables]];
  } finally {
    db.close();
  }
}

describe("the fence", () => {
  it("gives each job a higher token, the same one in every database, and keeps it when the lease is given back", async () => {
    const area = await fencedArea();
    await runReduce(area, { runname: undefined, runId: [2] });
    expect(fencesOf(area).area?.token).toBe(2);
    assertReleased(area);
    expect(Object.keys(fencesOf(area))).toHaveLength(4);
  });

  it("keeps an inline job out while another host holds the lease, and says who does", async () => {
    const area = await fencedArea();
    holdElsewhere(area, 60_000);
    const before = parts.map((part) => contentOf(area, part));
    await expect(runReduce(area)).rejects.toMatchObject({
      code: "locked",
      details: { holder: "host-b/7/7", jobId: "reduce-there" },
    });
    const { code, stdout } = await runReduceProcess(area, ["--runname", "%"]);
    expect([code, JSON.parse(stdout).error.code]).toEqual([3, "locked"]);
    expect(parts.map((part) => contentOf(area, part))).toEqual(before);
    expect(fencesOf(area).area).toMatchObject({ token: 1, holder: "host-b/7/7" });
  });

  it("makes a worker's job wait for the lease, and lets it work once that has run out", () =>
    onQueue(async (stage) => {
      const area = await fencedArea();
      holdElsewhere(area, 60_000);
      await stage.worker(area.host, {
        MTJOBS_AREAS: area.directory,
        MTJOBS_CACHE_ROOT: area.cacheRoot,
        MTJOBS_USER: area.user,
        MTJOBS_TEST_THREAD: builtThreadUrl().href,
      });
      const id = await stage.enqueue(area.host, area.directory, "%");
      const waiting = await stage.reach(area.host, id, "delayed");
      expect(waiting.attemptsMade).toBe(0);
      expect((await stage.story(area.host, id)).join(" ")).toContain("host-b/7/7");
      change(area, "area", "UPDATE mtjobs_fence SET expires_at = 1");
      const job = await stage.reach(area.host, id, "completed", 30_000);
      expect(job.returnvalue).toMatchObject({ moved: { runs: 5 } });
    }));

  it.each(["x'00'", "'never'", "9e999", "9223372036854775807"])(
    "takes over a lease that ends at %s, which is no time or a far one, from a process that it cannot see",
    async (end) => {
      const area = await fencedArea();
      holdElsewhere(area, 0);
      change(
        area,
        "area",
        `UPDATE mtjobs_fence SET expires_at = ${end}, renewed_at = ${end}, acquired_at = ${end}`,
      );
      expect(leaseState({ holder: "host-b/7/7", expiresAt: Number.NaN }, "host-a")).toBe("ahead");
      expect(movedIds((await runReduce(area, { runname: undefined, runId: [2] })).result)).toEqual([2]);
    },
  );

  it.each(
    parts.flatMap((part) =>
      ["9007199254740991", "4611686018427387904", "'none'"].map((token) => [part, token] as const),
    ),
  )(
    "refuses a token of %s that is %s, because none is above it, and says how to repair it",
    async (part, token) => {
      const area = await fencedArea();
      const before = contentOf(area, "area");
      change(area, part, `UPDATE mtjobs_fence SET token = ${token}`);
      const error = await runReduce(area, { runname: undefined, runId: [2] }).catch(
        (thrown: unknown) => thrown,
      );
      const shown = token.replaceAll("'", "");
      expect(error).toMatchObject({
        code: "corrupt",
        message: `the token ${shown} in table mtjobs_fence of ${fenceFile(area, part)} has no valid successor`,
      });
      expect(contentOf(area, "area")).toEqual(before);
      const sql = /'(?<sql>UPDATE [^']*)'/.exec((error as JobsError).hint ?? "")?.groups?.sql ?? "";
      change(area, part, sql);
      expect(movedIds((await runReduce(area, { runname: undefined, runId: [2] })).result)).toEqual([2]);
      expect(fencesOf(area).completed?.token).toBe(fencesOf(area).area?.token);
    },
  );

  it("takes a lease that has run out without asking who held it", async () => {
    const area = await fencedArea();
    holdElsewhere(area, -1);
    const { result } = await runReduce(area);
    expect(result.moved.runs).toBe(5);
    expect(fencesOf(area).area).toMatchObject({ token: 2, holder: null });
  });

  it("does not wait for the lease of a process of this host that is gone, nor of one whose pid another has now", async () => {
    const area = await fencedArea();
    for (const holder of ["host-a/999999999/5", `host-a/${process.pid}/5`]) {
      holdElsewhere(area, 60_000);
      change(area, "area", `UPDATE mtjobs_fence SET holder = '${holder}'`);
      const { result } = await runReduce(area, { runname: "none" });
      expect(result.state).toBe("completed");
    }
    holdElsewhere(area, 60_000);
    change(area, "area", `UPDATE mtjobs_fence SET holder = 'host-a/${process.ppid}/0'`);
    await expect(runReduce(area)).rejects.toMatchObject({ code: "locked" });
  });

  it.each([
    ["megatest.db's", ["area"]],
    ["all but the cache's", ["area", "ref", "completed"]],
    ["all but completed-runs.db's", ["area", "cache", "ref"]],
  ] as const)("is rebuilt above the highest token that survives where %s table is lost", async (_, lost) => {
    const area = await fencedArea();
    const highest = parts.filter((part) => !(lost as readonly FencePart[]).includes(part));
    for (const part of highest) change(area, part, "UPDATE mtjobs_fence SET token = 41");
    for (const part of lost) change(area, part, "DROP TABLE mtjobs_fence");
    await runReduce(area);
    expect(parts.map((part) => fencesOf(area)[part]?.token)).toEqual([42, 42, 42, 42]);
  });

  it.each([
    ...parts.map((part) => [part, "copied"] as const),
    // Before a copy is committed.
    ["completed", "late-collected"] as const,
  ])("lets nothing more be committed to %s once that has a newer token, from %s on", async (part, at) => {
    const area = await fencedArea();
    const before = unionOf(area);
    let content: unknown;
    const job = runReduce(
      area,
      {},
      {
        failpoint: (step) => {
          if (step !== at || content !== undefined) return;
          change(area, part, "UPDATE mtjobs_fence SET token = 9, holder = NULL");
          content = contentOf(area, part);
        },
      },
    );
    await expect(job).rejects.toMatchObject({ code: "lost-lease" });
    expect(contentOf(area, part)).toEqual(content);
    expect(fencesOf(area)[part]?.token).toBe(9);
    const { result } = await runReduce(area);
    expect(fencesOf(area).area?.token).toBe(10);
    expect(movedIds(result)).toEqual([2, 3, 4, 5, 6]);
    assertFinished(area, before);
  });

  it("is taken for a minute, and renewed in megatest.db by the commits of a job, long before it runs out", async () => {
    const area = await fencedArea();
    const seen: number[] = [];
    const check = (step: string) => {
      if (["lease-taken", "moved"].includes(step)) seen.push(fencesOf(area).area?.expires_at ?? 0);
    };
    const began = Date.now();
    await runReduce(area, {}, { failpoint: check });
    expect(seen).toHaveLength(2);
    expect((seen[0] ?? 0) - began).toBeGreaterThanOrEqual(60_000);
    expect(seen[1]).toBeGreaterThan(seen[0] ?? 0);
    expect((seen[1] ?? 0) - Date.now()).toBeGreaterThan(30_000);
  });

  it("admits a job again whose process still holds the lease for it, but no other job of it or of that id", async () => {
    const area = await fencedArea();
    const again = () => runReduce(area, {}, { jobId: "reduce-there" });
    holdElsewhere(area, 60_000);
    await expect(again()).rejects.toMatchObject({ code: "locked" });
    change(area, "area", `UPDATE mtjobs_fence SET holder = '${holderName(area.host)}'`);
    await expect(runReduce(area)).rejects.toMatchObject({ code: "locked" });
    expect((await again()).result.moved.runs).toBe(5);
  });

  it("gives no token to a job that was admitted just before another took the lease", async () => {
    const area = await fencedArea();
    holdElsewhere(area, 60_000);
    const db = connectTo(area, "area");
    const claim = { holder: holderName(area.host), jobId: "late", host: area.host, now: Date.now(), seen: 0 };
    expect(() => takeLease(db, claim)).toThrow(expect.objectContaining({ code: "locked" }));
    db.close();
    expect(fencesOf(area).area).toMatchObject({ token: 1, holder: "host-b/7/7" });
  });

  it("keeps the lease of another that took over, whatever a job that is late releases, and ends it with its own job", async () => {
    const area = await fencedArea();
    const endOf = () => Object.values(fencesOf(area)).map((fence) => fence?.expires_at);
    expect(endOf()).toEqual([0, 0, 0, 0]);
    holdElsewhere(area, 60_000);
    const db = connectTo(area, "area");
    releaseLease(db, 2);
    expect(fencesOf(area).area).toMatchObject({ token: 1, holder: "host-b/7/7" });
    releaseLease(db, 1);
    db.close();
    expect(fencesOf(area).area).toEqual({ token: 1, holder: null, expires_at: 0 });
  });

  it.each(["cache", "ref", "completed"] as const)(
    "keeps the token of %s where another has raised it higher meanwhile, and ends the job that is late",
    async (part) => {
      const area = await fencedArea();
      change(area, part, "UPDATE mtjobs_fence SET token = 9");
      const db = connectTo(area, part);
      expect(() => raiseFenceToken(db, part, 8)).toThrow(expect.objectContaining({ code: "lost-lease" }));
      raiseFenceToken(db, part, 9);
      db.close();
      expect(fencesOf(area)[part]?.token).toBe(9);
    },
  );
});
