import { appendFileSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type AreaMeasures, areaMeasuresSchema } from "../../../producers/contract/totals.ts";
import { edit, fingerprint, makeFifo, newArea } from "../../support/area.ts";
import { ask, onQueue, type QueueStage, serverEnv, startServer } from "../../support/queue.ts";

async function measuresOf(stage: QueueStage): Promise<AreaMeasures> {
  const server = await startServer(serverEnv(stage));
  try {
    const { status, body } = await ask(`${server.url}/api/v1/areas/measures`);
    expect([status, areaMeasuresSchema.parse(body)]).toEqual([200, body]);
    return body;
  } finally {
    server.child.kill("SIGTERM");
    await server.finished;
  }
}

const day = 86_400;
const options = { testsPerRun: 4, inFlight: 0, unsynced: false };

describe("what the page sorts areas by, over HTTP", () => {
  it("is each area's size, runs, gain, growth, oldest run and failed jobs, read without a change", () =>
    onQueue(async (stage) => {
      const area = newArea({ directory: join(stage.root, "one"), runs: 20, ...options });
      const now = Math.floor(Date.now() / 1000);
      edit(area, ["area"], (db) => {
        db.exec(`UPDATE runs SET event_time = ${now - 400 * day} + id WHERE id <= 15`);
        db.exec(`UPDATE runs SET event_time = ${now - 2 * day} WHERE id > 15`);
      });
      const line = {
        jobId: "x",
        job: "reduce",
        at: new Date().toISOString(),
        error: { code: "io", message: "" },
      };
      mkdirSync(join(area.directory, ".mtjobs"));
      appendFileSync(join(area.directory, ".mtjobs", "history.jsonl"), `${JSON.stringify(line)}\n`);
      const before = fingerprint(area.directory);
      const { areas, complete } = await measuresOf(stage);
      expect(fingerprint(area.directory)).toEqual(before);
      const size = statSync(area.megatestDb).size;
      expect([complete, areas]).toEqual([
        true,
        [
          {
            ...{ area: area.directory, bytes: { "megatest.db": size }, savedBytes: 0, failed: ["reduce"] },
            ...{ runs: { "megatest.db": 20, "completed-runs.db": 0 }, oldestRunAt: now - 400 * day + 1 },
            ...{ gainBytes: expect.any(Number), gainRuns: 15, growthBytesPerWeek: expect.any(Number) },
          },
        ],
      ]);
      const { gainBytes, growthBytesPerWeek } = areas[0] ?? {};
      expect((gainBytes ?? 0) / size).toBeGreaterThan(0.5);
      expect((gainBytes ?? 0) / (growthBytesPerWeek ?? 1)).toBeCloseTo((15 / 5) * 4, 1);
    }));

  it("is null for an area that cannot be read, and keeps no other from being read", () =>
    onQueue(async (stage) => {
      const bad = newArea({ directory: join(stage.root, "a-bad"), runs: 3, ...options });
      edit(bad, ["area"], (db) => db.exec("DROP TABLE tests"));
      const stuck = newArea({ directory: join(stage.root, "b-stuck"), runs: 3, ...options });
      rmSync(stuck.megatestDb);
      makeFifo(stuck.megatestDb);
      newArea({ directory: join(stage.root, "c-good"), runs: 6, ...options });
      const { areas } = await measuresOf(stage);
      const found = new Map(areas.map(({ area, gainRuns }) => [area.split("/").at(-1), gainRuns]));
      expect(found.get("a-bad")).toBe(null);
      expect(found.get("b-stuck") ?? null).toBe(null);
      expect(found.get("c-good")).toEqual(expect.any(Number));
    }));
});
