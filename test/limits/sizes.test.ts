import { copyFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it, vi } from "vitest";
import type { SampleArea, SampleAreaOptions } from "../../shared/sample-area/build-area.ts";
import { areFullSizes } from "../support/campaign.ts";
import { runReduce, runRestore } from "../support/run-reduce.ts";
import { buildTempArea, filesOf } from "../support/temp-area.ts";

type Size = Pick<SampleAreaOptions, "runs" | "testsPerRun" | "stepsPerTest" | "dataPerTest">;

/** Each as large as the limits ask for, and a hundredth of it for a test run. */
const sizes: { name: string; full: Size; small: Partial<Size> }[] = [
  {
    name: "ten million rows",
    full: { runs: 2000, testsPerRun: 420, stepsPerTest: 6, dataPerTest: 5 },
    small: { runs: 20 },
  },
  {
    name: "a run of 200,000 tests",
    full: { runs: 1, testsPerRun: 200_000, stepsPerTest: 2, dataPerTest: 1 },
    small: { testsPerRun: 2000 },
  },
  {
    name: "20,000 runs",
    full: { runs: 20_000, testsPerRun: 2, stepsPerTest: 1, dataPerTest: 1 },
    small: { runs: 200 },
  },
];

const tables = ["runs", "tests", "test_steps", "test_data"] as const;

vi.setConfig({ testTimeout: areFullSizes ? 3_600_000 : 60_000 });

/**
 * How many rows of each table the two files do not share: [] where they are alike. What has a higher id than all of the
 * second guards ids. Memory does not grow with the rows.
 */
function differences(one: string, other: string): string[] {
  const db = new Database(one, { readonly: true });
  try {
    db.prepare("ATTACH ? AS other").run(other);
    db.pragma("temp_store = FILE");
    const count = (sql: string) => db.prepare<[], number>(`SELECT count(*) FROM (${sql})`).pluck().get() ?? 0;
    return tables.flatMap((table) => {
      const lacks = count(`SELECT * FROM other.${table} EXCEPT SELECT * FROM main.${table}`);
      const added = count(`SELECT * FROM main.${table} WHERE id <= (SELECT max(id) FROM other.${table})
         EXCEPT SELECT * FROM other.${table}`);
      const twice = count(`SELECT id FROM main.${table} GROUP BY id HAVING count(*) > 1`);
      return lacks + added + twice === 0 ? [] : [`${table}: ${lacks} lack, ${added} added, ${twice} twice`];
    });
  } finally {
    db.close();
  }
}

function rowsIn(file: string): number {
  const db = new Database(file, { readonly: true });
  try {
    const counts = tables.map((table) => `(SELECT count(*) FROM ${table} WHERE id > 0)`);
    return (
      db
        .prepare<[], number>(`SELECT ${counts.join(" + ")}`)
        .pluck()
        .get() ?? Number.NaN
    );
  } finally {
    db.close();
  }
}

/** Rows of its own that a file has, beside those that guard ids. */
function rowsLeft(area: SampleArea, known: string): string[] {
  return [area.cacheDb, area.refDb, area.megatestDb].flatMap((file) => {
    const db = new Database(file, { readonly: true });
    try {
      db.prepare("ATTACH ? AS known").run(known);
      return tables.flatMap((table) => {
        const left = db
          .prepare<[], number>(
            `SELECT count(*) FROM (SELECT * FROM main.${table} INTERSECT SELECT * FROM known.${table})`,
          )
          .pluck()
          .get();
        return left === 0 ? [] : [`${file} ${table}: ${left}`];
      });
    } finally {
      db.close();
    }
  });
}

describe("an area of the largest size", () => {
  it.each(sizes)("with $name moves out and back, row by row the same", async ({ name, full, small }) => {
    const size = areFullSizes ? full : { ...full, ...small };
    const area = buildTempArea({ ...size, inFlight: 0, unsynced: false });
    const before = join(area.directory, "..", "before.db");
    copyFileSync(area.cacheDb, before);
    const rows = rowsIn(before);
    const started = performance.now();
    const { result } = await runReduce(area);
    const movedAt = performance.now();
    expect(result).toMatchObject({ state: "completed", moved: { runs: size.runs } });
    expect(differences(filesOf(area).completedDb, before)).toEqual([]);
    expect(rowsLeft(area, before)).toEqual([]);
    const restoring = performance.now();
    const restored = await runRestore(area);
    const restoredAt = performance.now();
    expect(restored.result).toMatchObject({ state: "completed", moved: { runs: size.runs } });
    for (const file of [area.cacheDb, area.megatestDb]) expect(differences(file, before)).toEqual([]);
    if (areFullSizes) {
      const seconds = (ms: number) => (ms / 1000).toFixed(0);
      console.info(
        `${name}: ${rows} rows, moved in ${seconds(movedAt - started)} s, back in ${seconds(restoredAt - restoring)} s`,
      );
    }
  });
});
