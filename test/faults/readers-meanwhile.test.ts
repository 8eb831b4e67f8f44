import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { assertNothingLost, casesOf, newArea } from "../support/area.ts";
import { countMeanwhile, readFilesOf, runJobProcess, runReduce, unionOf } from "../support/queue.ts";

/** Numbers, each run once, and joins, which are rewritten, so that a run in neither or both places would show. */
const counted = [
  "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM runs",
  "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM tests",
  "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM test_steps",
  "SELECT r.id, r.runname, count(t.id) AS n FROM runs r LEFT JOIN tests t ON t.run_id = r.id GROUP BY r.id ORDER BY r.id",
  "SELECT count(*) AS n FROM runs r JOIN tests t ON t.run_id = r.id JOIN test_steps s ON s.test_id = t.id",
];

/** Runs 3 to 12 go back and forth; 1 and 2 stay moved, 13 and 14 are in flight. */
const rounds = 2;

async function toAndFro(area: SampleArea): Promise<void> {
  const ids = Array.from({ length: 10 }, (_, index) => String(index + 3)).join();
  for (let round = 0; round < rounds; round++) {
    const reduced = await runJobProcess("reduce", area, ["--run-id", ids]);
    expect(reduced.code, reduced.stderr).toBe(0);
    expect(JSON.parse(reduced.stdout)).toMatchObject({ moved: { runs: 10 } });
    const restored = await runJobProcess("restore", area, ["--run-id", ids, "--grace", "0.5s"]);
    expect(restored.code, restored.stderr).toBe(0);
    expect(JSON.parse(restored.stdout)).toMatchObject({ moved: { runs: 10 } });
  }
}

describe("while runs go to completed-runs.db and come back", () => {
  it.each(
    casesOf(
      [
        ["a rollback journal", false],
        ["a write-ahead log", true],
      ] as const,
      1,
    ),
  )(
    "readers of both databases who count without a pause beside a cache with %s see each run once",
    { timeout: 120_000 }, // the readers leave the jobs little of two cores
    async (_, cacheWal) => {
      const area = newArea({ runs: 14, testsPerRun: 20, unsynced: false, cacheWal });
      await runReduce(area, { runname: undefined, runId: [1, 2] });
      const before = unionOf(area);
      const files = readFilesOf(area);
      const readers = await Promise.all([
        countMeanwhile(files, counted),
        countMeanwhile({ ...files, main: area.megatestDb, source: "megatest.db" }, counted, {
          rewrite: false,
        }),
      ]);
      await toAndFro(area);
      const seen = await Promise.all(readers.map((reader) => reader.stop()));
      for (const { rounds: count, wrong, times, runsOnMain } of seen) {
        expect({ wrong, times }).toEqual({ wrong: [], times: 0 });
        // They did look while runs were on their way.
        expect(count).toBeGreaterThan(20);
        expect(Math.min(...runsOnMain)).toBe(2);
        expect(Math.max(...runsOnMain)).toBe(12);
      }
      console.info(`rounds of the two readers: ${seen.map(({ rounds: count }) => count).join(", ")}`);
      assertNothingLost(before, unionOf(area));
    },
  );
});
