import { copyFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it, vi } from "vitest";
import type { SampleAreaOptions } from "../../producers/demo/sample-area/build-area.ts";
import { areFullSizes, filesOf, newArea, record } from "../support/area.ts";
import { runReduce, runRestore } from "../support/queue.ts";

const tables = ["runs", "tests", "test_steps", "test_data"] as const;
type Table = (typeof tables)[number];
type Size = Pick<SampleAreaOptions, "runs" | "testsPerRun" | "stepsPerTest" | "dataPerTest">;

/** Each as large as the limits ask for, with what it then holds at least, and a hundredth of it for a test run. */
const sizes: {
  name: string;
  full: Size;
  holds: Partial<Record<Table | "rows", number>>;
  small: Partial<Size>;
}[] = [
  {
    name: "ten million rows",
    full: { runs: 2000, testsPerRun: 420, stepsPerTest: 6, dataPerTest: 5 },
    holds: { rows: 10_000_000 },
    small: { runs: 20 },
  },
  {
    name: "a run of 200,000 tests",
    full: { runs: 1, testsPerRun: 200_000, stepsPerTest: 2, dataPerTest: 1 },
    holds: { runs: 1, tests: 200_000 },
    small: { testsPerRun: 2000 },
  },
  {
    name: "20,000 runs",
    full: { runs: 20_000, testsPerRun: 2, stepsPerTest: 1, dataPerTest: 1 },
    holds: { runs: 20_000 },
    small: { runs: 200 },
  },
];

vi.setConfig({ testTimeout: areFullSizes ? 3_600_000 : 60_000 });

/** Asks a database that has a second one attached as `other`. */
function asking<T>(file: string, other: string, ask: (count: (rows: string) => number) => T): T {
  const db = new Database(file, { readonly: true });
  try {
    db.pragma("temp_store = FILE");
    db.prepare("ATTACH ? AS other").run(other);
    return ask((rows) => Number(db.prepare(`SELECT count(*) FROM (${rows})`).pluck().get()));
  } finally {
    db.close();
  }
}

/** How many rows of each table two files do not share: [] if they are alike. Higher ids than all of the other's guard ids. */
function differences(file: string, other: string): string[] {
  return asking(file, other, (count) =>
    tables.flatMap((table) => {
      const lacks = count(`SELECT * FROM other.${table} EXCEPT SELECT * FROM main.${table}`);
      const added = count(`SELECT * FROM main.${table} WHERE id <= (SELECT max(id) FROM other.${table})
         EXCEPT SELECT * FROM other.${table}`);
      return lacks + added === 0 ? [] : [`${file} ${table}: ${lacks} lack, ${added} added`];
    }),
  );
}

/** How many rows of each table two files share: [] without any. */
function shared(file: string, other: string): string[] {
  return asking(file, other, (count) =>
    tables.flatMap((table) => {
      const both = count(`SELECT * FROM main.${table} INTERSECT SELECT * FROM other.${table}`);
      return both === 0 ? [] : [`${file} ${table}: ${both}`];
    }),
  );
}

/** How many rows each table has, and all of them. */
function sizeOf(file: string): Record<Table | "rows", number> {
  const counts = asking(file, ":memory:", (count) =>
    tables.map((table) => [table, count(`SELECT 1 FROM main.${table}`)] as const),
  );
  const rows = counts.reduce((sum, [, count]) => sum + count, 0);
  return { ...(Object.fromEntries(counts) as Record<Table, number>), rows };
}

async function timed<T>(work: Promise<T>): Promise<{ value: T; seconds: number }> {
  const started = performance.now();
  const value = await work;
  return { value, seconds: Math.round((performance.now() - started) / 1000) };
}

describe("an area of the largest size", () => {
  it.each(sizes)(
    "with $name moves out and back, row by row the same",
    async ({ name, full, holds, small }) => {
      const size = areFullSizes ? full : { ...full, ...small };
      const area = newArea({ ...size, inFlight: 0, unsynced: false });
      const before = join(area.directory, "..", "before.db");
      copyFileSync(area.cacheDb, before);
      const held = sizeOf(area.cacheDb);
      if (areFullSizes)
        for (const [what, count] of Object.entries(holds))
          expect(held[what as Table]).toBeGreaterThanOrEqual(count);
      const out = await timed(runReduce(area));
      expect(out.value.result).toMatchObject({ state: "completed", moved: { runs: size.runs } });
      expect(differences(filesOf(area).completedDb, before)).toEqual([]);
      for (const file of [area.cacheDb, area.refDb, area.megatestDb])
        expect(shared(file, before)).toEqual([]);
      const back = await timed(runRestore(area));
      expect(back.value.result).toMatchObject({ state: "completed", moved: { runs: size.runs } });
      for (const file of [area.cacheDb, area.megatestDb]) expect(differences(file, before)).toEqual([]);
      if (!areFullSizes) return;
      console.info(`${name}: ${held.rows} rows, out in ${out.seconds} s, back in ${back.seconds} s`);
      record("limits", { size: name, rows: held.rows, outS: out.seconds, backS: back.seconds });
    },
  );
});
