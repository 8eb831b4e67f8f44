import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { edit, everywhere, giveId, newArea } from "../support/area.ts";
import { documentOf, errorCodeOf, runCommand } from "../support/queue.ts";

const [one, next] = [2n ** 53n, 2n ** 53n + 1n];

/** Runs 2 and 3 have ids that are one JavaScript number; so have their first tests. */
function areaOfTwo(): SampleArea {
  const area = newArea({ runs: 4, inFlight: 0, unsynced: false, testsPerRun: 3 });
  for (const table of ["tests", "runs"]) {
    giveId(area, table, 2, one);
    giveId(area, table, 3, next);
  }
  return area;
}

const run = (area: SampleArea, command: string, ...args: string[]) =>
  runCommand([command, area.directory, ...args], {
    env: {
      MTJOBS_HOST: area.host,
      MTJOBS_USER: area.user,
      MTJOBS_CACHE_ROOT: area.cacheRoot,
      MTJOBS_REDIS_URL: "redis://127.0.0.1:1",
    },
  });

describe("ids beyond 2^53 on the command line", () => {
  it("are chosen exactly by --run-id, and told as decimal digits in JSON", async () => {
    const area = areaOfTwo();
    const reduced = await run(area, "reduce", "--run-id", String(next), "--inline", "--json");
    expect([reduced.code, documentOf(reduced)]).toMatchObject([
      0,
      { moved: { runs: 1 }, runs: [{ id: String(next) }] },
    ]);
    const listed = documentOf(await run(area, "list-runs", "--full-db", "--json")) as {
      runs: { id: unknown; where: string; tests: { id: unknown }[] }[];
    };
    expect(listed.runs.map(({ id, where, tests }) => [id, where, tests.length])).toEqual([
      [1, "megatest.db", 3],
      [String(one), "megatest.db", 3],
      [String(next), "completed-runs.db", 3],
      [4, "megatest.db", 3],
    ]);
    const dry = documentOf(
      await run(area, "restore", "--run-id", `${one},${next}`, "--inline", "--dry-run", "--json"),
    );
    expect(dry).toMatchObject({
      runs: [{ id: String(next) }],
      warnings: [`already in megatest.db or its cache, not in completed-runs.db: ${one}`],
    });
    expect((await run(area, "list-runs", "--run-id", String(one))).stdout).toContain(` id: ${one} `);
  });

  it("are printed exactly by a query as a table, as CSV and as JSON, with any other integer of 64 bits", async () => {
    const area = areaOfTwo();
    const sql = `SELECT id, 9223372036854775807 AS most, -9223372036854775808 AS least FROM runs WHERE id > 4 ORDER BY id`;
    const cells = [String(one), "9223372036854775807", "-9223372036854775808"];
    const table = (await run(area, "query", sql)).stdout.split("\n")[1] ?? "";
    expect(table.trim().split(/\s+/)).toEqual(cells);
    expect((await run(area, "query", sql, "--csv")).stdout.split(/\r?\n/)[1]).toBe(cells.join(","));
    expect(documentOf(await run(area, "query", sql, "--json")).rows).toMatchObject([
      { id: cells[0], most: cells[1], least: cells[2] },
      { id: String(next) },
    ]);
  });

  it("keep neither status nor the doctor from an end, whatever times the rows tell", async () => {
    const area = areaOfTwo();
    edit(area, everywhere, (db) =>
      db.exec(`UPDATE runs SET event_time = 9223372036854775807 WHERE id = ${next};
        UPDATE tests SET event_time = 9223372036854775807 WHERE id = ${next}`),
    );
    const status = await run(area, "status", "--json");
    expect(JSON.stringify(documentOf(status))).toContain(`"id":"${next}"`);
    const doctor = documentOf(await run(area, "doctor", "--json")) as {
      checks: { name: string; ok: boolean }[];
    };
    expect(doctor.checks.find(({ name }) => name === "orphans/cache/megatest.db")).toMatchObject({
      ok: true,
    });
    expect((await run(area, "list-runs")).code).toBe(0);
  });

  it("are joined to the option by = if they are negative, as the help says", async () => {
    expect((await runCommand(["--help"])).stdout).toContain("--run-id=-5");
    expect((await run(areaOfTwo(), "list-runs", "--run-id=-5,1")).code).toBe(0);
  });

  it.each(["9223372036854775808", "1.5", "1e3", "-0", "07", "", "2,,3"])(
    "are refused if they are not 64-bit integers: %j",
    async (ids) => {
      const refused = await run(areaOfTwo(), "list-runs", `--run-id=${ids}`, "--json");
      expect([refused.code, errorCodeOf(refused)]).toEqual([2, "usage"]);
      expect(documentOf(refused)).toMatchObject({
        error: { hint: "ids are whole numbers from -2^63 to 2^63 - 1, separated by commas" },
      });
    },
  );
});
