import { appendFileSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type AreaHistory, historySchema } from "../../../producers/contract/area.ts";
import { buildArea, type SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { temporaryDirectory } from "../../support/area.ts";
import { runReduce, runRestore, withServerStage } from "../../support/queue.ts";

const served = withServerStage();

function newArea(name: string): SampleArea {
  return buildArea({
    ...{
      directory: join(served.stage.root, name),
      cacheRoot: temporaryDirectory(),
      user: "ann",
      host: "hostz",
    },
    ...{ runs: 10, testsPerRun: 5, withCache: false, unsynced: false, inFlight: 0 },
  });
}

async function historyOf(area: SampleArea): Promise<AreaHistory> {
  const { status, body } = await served.call(
    `GET /api/v1/areas/by-path/history?path=${encodeURIComponent(area.directory)}`,
  );
  expect(status).toBe(200);
  expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThan(300_000);
  expect(historySchema.parse(body)).toEqual(body);
  return body;
}

function write(area: SampleArea, lines: readonly (object | string)[]): void {
  mkdirSync(join(area.directory, ".mtjobs"), { recursive: true });
  const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n");
  appendFileSync(join(area.directory, ".mtjobs", "history.jsonl"), `${text}\n`);
}

/** A reduce of one run, the `n`-th job; megatest.db grows by 100 bytes between two jobs, and loses 90 in each. */
function reduced(n: number, more: object = {}): object {
  const [before, after] = [1000 + 10 * n + 100, 1000 + 10 * n + 10];
  return {
    ...{ jobId: `reduce-${n}`, job: "reduce", at: new Date((1_600_000_000 + n * 3600) * 1000).toISOString() },
    ...{
      elapsedMs: 60_000,
      moved: { runs: 1 },
      sides: { "megatest.db": { runs: 5 }, "completed-runs.db": { runs: n + 1 } },
    },
    bytes: { "megatest.db": { before, after }, "completed-runs.db": { before: 90 * n, after: 90 * (n + 1) } },
    ...more,
  };
}

describe("an area's history over HTTP", () => {
  it("has sizes and runs from before the first job on, and those of now", async () => {
    const area = newArea("real");
    expect(await historyOf(area)).toMatchObject({
      history: [],
      points: [],
      migrations: [],
      jobs: { read: 0 },
    });
    const size = statSync(area.megatestDb).size;
    await runReduce(area, { runId: [1, 2, 3], compact: "always" });
    await runReduce(area, { runId: [4], dryRun: true });
    await runRestore(area, { runId: [2] });
    const history = await historyOf(area);
    const [first, second] = history.points;
    expect(first).toMatchObject({
      when: "before",
      job: "reduce",
      bytes: { "megatest.db": size },
      runs: { "megatest.db": 10, "completed-runs.db": 0 },
    });
    expect(second).toMatchObject({ when: "after", runs: { "megatest.db": 7, "completed-runs.db": 3 } });
    expect(second?.bytes["megatest.db"]).toBeLessThan(size);
    expect(history.points.slice(2)).toMatchObject([
      { when: "before", job: "restore", runs: { "megatest.db": 7, "completed-runs.db": 3 } },
      { when: "after", job: "restore", runs: { "megatest.db": 8, "completed-runs.db": 2 } },
    ]);
    expect(history.jobs).toMatchObject({ shown: 2, complete: true });
    expect(history.now.bytes).toEqual({
      "megatest.db": statSync(area.megatestDb).size,
      "completed-runs.db": statSync(join(area.directory, "completed-runs.db")).size,
    });
  });

  it("has migrations as events, and passes over lines of other versions and damaged ones", async () => {
    const area = newArea("events");
    const migrate = {
      jobId: "m1",
      job: "migrate",
      kind: "migration",
      outcome: "migrated",
      at: "2025-01-02T03:04:05Z",
    };
    write(area, [
      reduced(0, { sides: undefined }),
      '{"jobId": "torn',
      '{"jobId": "older", "at": 7, "bytes": "none"}',
      '{"jobId": "odd", "job": "reduce", "at": "2024-01-01T00:00:00Z", "bytes": {"megatest.db": {"after": "x"}}}',
      {
        ...migrate,
        from: "10.0.0.1",
        to: "10.0.0.2",
        fromHost: "hosta",
        toHost: "hostb",
        requestedBy: "ann@h",
      },
      reduced(1),
    ]);
    const { points, migrations, history, jobs } = await historyOf(area);
    expect(migrations).toEqual([
      {
        ...{
          at: Date.parse("2025-01-02T03:04:05Z") / 1000,
          jobId: "m1",
          kind: "migration",
          outcome: "migrated",
        },
        ...{
          from: "10.0.0.1",
          to: "10.0.0.2",
          fromHost: "hosta",
          toHost: "hostb",
          requestedBy: "ann@h",
          reason: null,
        },
      },
    ]);
    expect(history.map(({ jobId }) => jobId)).toEqual(["reduce-0", "older", "odd", "m1", "reduce-1"]);
    expect(jobs).toEqual({ read: 5, shown: 2, complete: true });
    // What a line lacks is computed from the next one; runs of megatest.db come at any time.
    expect(points.map(({ runs }) => Object.values(runs))).toEqual([
      [null, 0],
      [null, 1],
      [6, 1],
      [5, 2],
    ]);
  });

  it("is thinned if it is long, and keeps its first and its last job and its peaks", async () => {
    const area = newArea("long");
    const peak = { bytes: { "megatest.db": { before: 9_000_000, after: 1000 } } };
    write(
      area,
      Array.from({ length: 30_000 }, (_, n) => reduced(n, n === 20_000 ? peak : {})),
    );
    const { points, history, jobs } = await historyOf(area);
    expect(jobs).toMatchObject({ read: 20_000, complete: false });
    expect(points.length).toBeLessThanOrEqual(300);
    expect([points[0]?.jobId, points.at(-1)?.jobId]).toEqual(["reduce-0", "reduce-29999"]);
    expect(points.some(({ bytes }) => bytes["megatest.db"] === 9_000_000)).toBe(true);
    expect(points.every(({ at }, index) => index === 0 || at >= (points[index - 1]?.at ?? 0))).toBe(true);
    expect(history.at(-1)).toMatchObject({ jobId: "reduce-29999" });
    expect(history.length).toBeGreaterThan(100);
  });

  it("never makes an answer of more than 300 kB", async () => {
    const area = newArea("hostile");
    const long = "\u0001".repeat(20_000);
    write(
      area,
      Array.from({ length: 600 }, (_, n) => ({
        ...reduced(n, { warnings: Array.from({ length: 20 }, () => long.slice(0, 1000)) }),
        ...(n % 2 === 0 ? { jobId: `${n}${long}`, job: long, requestedBy: long } : {}),
      })),
    );
    write(
      area,
      Array.from({ length: 300 }, () => ({
        jobId: long,
        job: "migrate",
        at: "2025-01-01T00:00:00Z",
        from: long,
        reason: long,
      })),
    );
    const { history, migrations } = await historyOf(area);
    expect(history.at(-1)).toMatchObject({ cut: true, job: "migrate" });
    expect(migrations.length).toBeGreaterThan(1);
  });
});
