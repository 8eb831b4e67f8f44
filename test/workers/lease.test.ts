import { statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { toJobsError } from "../../shared/errors.ts";
import { CacheTimes } from "../../workers/area-db/cache-mtime.ts";
import { retryWhileBusy } from "../../workers/area-db/transaction.ts";
import {
  checkOf,
  diagnoseArea,
  isRefillDue,
  makeRefillDue,
  newArea,
  temporaryDirectory,
} from "../support/area.ts";
import { fencesOf, runReduce, runReduceProcess, runRepair, withMove } from "../support/queue.ts";

const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;

/** An area on which a job has worked; another host holds it for `left` more ms. */
async function heldArea(left: number): Promise<SampleArea> {
  const area = newArea({ runs: 6, testsPerRun: 4 });
  await runReduce(area, { runname: undefined, runId: [1] });
  const db = new Database(area.megatestDb, { fileMustExist: true });
  db.prepare("UPDATE mtjobs_fence SET holder = 'host-b/7/7', job_id = 'reduce-there', expires_at = ?").run(
    Date.now() + left,
  );
  db.close();
  return area;
}

/** Sets this process's wall clock to another time; timers go on as they are. */
function setClock(byMs: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + byMs });
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a lease", () => {
  it("is not shared by two jobs of one process: the second is refused, and the first goes on", async () => {
    const area = newArea({ runs: 6, testsPerRun: 4 });
    let second: Promise<unknown> | undefined;
    const failpoint = (step: string) => {
      if (step === "copied") second ??= runReduce(area).catch((error: unknown) => error);
    };
    const { result } = await runReduce(area, {}, { failpoint });
    expect(result).toMatchObject({ state: "completed" });
    expect(await second).toMatchObject({ code: "locked", details: { holder: fencesHolder } });
    expect(fencesOf(area).area).toMatchObject({ token: 1, holder: null });
  });

  it("that ends in a year was made by a wrong clock: doctor says so, and a job or a repair ends it", async () => {
    for (const work of [runReduce, runRepair]) {
      const area = await heldArea(yearMs);
      const check = checkOf(await diagnoseArea(area), "lease");
      expect([check.ok, check.verdict]).toEqual([false, expect.stringContaining("clock")]);
      const { result } = await work(area);
      expect(result.state).toBe("completed");
      expect(checkOf(await diagnoseArea(area), "lease").ok).toBe(true);
    }
  });

  it("of a host whose clock is half a minute ahead keeps others out as any does", async () => {
    await expect(runReduce(await heldArea(90_000))).rejects.toMatchObject({ code: "locked" });
  });

  it("that another has leaves the area as it was to a job that is refused, and a refill still due", async () => {
    const area = await heldArea(60_000);
    makeRefillDue(area);
    const files = [area.cacheDb, area.megatestDb, area.refDb, join(area.directory, "completed-runs.db")];
    const state = () => [files.map((file) => statSync(file).mtimeMs), fencesOf(area)];
    const before = state();
    await expect(runReduce(area)).rejects.toMatchObject({ code: "locked" });
    expect(state()).toEqual(before);
    expect(isRefillDue(area)).toBe(true);
  });

  it("that a job takes makes no refill due, however long ago the cache was written to", async () => {
    const area = newArea({ runs: 2, testsPerRun: 4 });
    const longAgo = new Date(Date.now() - hourMs);
    for (const file of [area.cacheDb, area.megatestDb]) utimesSync(file, longAgo, longAgo);
    const due: boolean[] = [];
    const failpoint = (step: string) => {
      if (step === "lease-taken") due.push(isRefillDue(area));
    };
    await runReduce(area, {}, { failpoint });
    expect(due).toEqual([false]);
  });

  it("is renewed without making a refill due, though the last commit was long ago", async () => {
    const area = newArea({ runs: 2, testsPerRun: 4 });
    await withMove(area, async (session) => {
      const longAgo = new Date(Date.now() - hourMs);
      utimesSync(area.cacheDb, longAgo, longAgo);
      setClock(hourMs);
      await session.commit("area", () => {});
      expect(isRefillDue(area)).toBe(false);
    });
  });

  it("that a job takes where a refill is due leaves the refill due until the cache says that it is", async () => {
    const area = newArea({ runs: 6, testsPerRun: 4 });
    makeRefillDue(area);
    const { signal } = await runReduceProcess(area, ["--runname", "%"], {
      MTJOBS_FAILPOINT: "lease-taken=kill",
    });
    expect(signal).toBe("SIGKILL");
    expect(isRefillDue(area)).toBe(true);
  });
});

describe("a clock that is set while a job is at work", () => {
  it("lets the cache be touched at once where it was set ahead, as megatest.db is written to by the new time", () => {
    const area = newArea({ runs: 2 });
    const times = new CacheTimes({ file: area.cacheDb, aheadMs: 0 });
    times.renew();
    setClock(15_000);
    times.renew();
    expect(Math.abs(statSync(area.cacheDb).mtimeMs - Date.now())).toBeLessThan(1_000);
  });

  it("neither ends nor prolongs the waiting for a busy database", async () => {
    const file = join(temporaryDirectory(), "busy.db");
    const [holder, waiting] = [new Database(file), new Database(file, { timeout: 0 })];
    holder.exec("CREATE TABLE t (x); BEGIN EXCLUSIVE");
    let tries = 0;
    const codes: string[] = [];
    await retryWhileBusy(new AbortController().signal, () => {
      tries++;
      setClock(tries % 2 === 1 ? hourMs : -2 * hourMs);
      if (tries === 4) holder.exec("COMMIT");
      try {
        waiting.exec("INSERT INTO t VALUES (1)");
      } catch (error) {
        codes.push(toJobsError(error).code);
        throw error;
      }
    });
    expect([tries, codes]).toEqual([4, ["busy", "busy", "busy"]]);
    holder.close();
    waiting.close();
  });

  it("does not keep the cache from being the newer file where it was set back", () => {
    const area = newArea({ runs: 2 });
    const times = new CacheTimes({ file: area.cacheDb, aheadMs: 0 });
    times.renew();
    setClock(-hourMs);
    times.renew();
    expect(Math.abs(statSync(area.cacheDb).mtimeMs - Date.now())).toBeLessThan(1_000);
  });
});

const fencesHolder = expect.stringContaining(`/${process.pid}/`);
