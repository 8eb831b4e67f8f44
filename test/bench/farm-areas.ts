import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { cacheDirectoryOf } from "../../producers/demo/sample-area/area-files.ts";
import { buildArea } from "../../producers/demo/sample-area/build-area.ts";

export interface FarmArea {
  directory: string;
  host: string;
  cacheDirectory: string;
}

export interface Farm {
  /** The database that all areas began with, as clients had written it. */
  original: string;
  hosts: string[];
  areas: FarmArea[];
  /** In each area, with ids from 1. */
  runs: number;
}

/** Builds small areas below `root`, equal but for their homehosts, which take turns. */
export function buildFarm(
  root: string,
  { hosts, areas, runs }: Record<"hosts" | "areas" | "runs", number>,
): Farm {
  const names = Array.from({ length: hosts }, (_, index) => `host${String(index + 1).padStart(2, "0")}`);
  const options = { runs, testsPerRun: 2, stepsPerTest: 2, dataPerTest: 1, inFlight: 0, unsynced: false };
  const place = { user: "farm", cacheRoot: join(root, "first"), host: "first" };
  const first = buildArea({ ...place, ...options, directory: join(root, "first", "area") });
  const built = Array.from({ length: areas }, (_, index): FarmArea => {
    const host = names[index % hosts] as string;
    const areaName = `a${String(index + 1).padStart(3, "0")}`;
    const directory = join(root, "areas", areaName);
    const cacheDirectory = cacheDirectoryOf({
      ...{ user: "farm", cacheRoot: join(root, "tmp", host), areaName, directory },
    });
    mkdirSync(dirname(cacheDirectory), { recursive: true });
    cpSync(first.directory, directory, { recursive: true });
    cpSync(first.cacheDirectory, cacheDirectory, { recursive: true });
    writeFileSync(join(directory, ".homehost"), `${host}\n`);
    return { directory, host, cacheDirectory };
  });
  return { original: first.cacheDb, hosts: names, areas: built, runs };
}

const records = ["runs", "tests", "test_steps", "test_data"];

/** The rows of the tables that hold the runs, by table, each as JSON, in the order of their ids. */
function rowsOf(file: string): Record<string, string[]> {
  const db = new Database(file, { readonly: true });
  try {
    return Object.fromEntries(
      records.map((table) => {
        const rows = db.prepare(`SELECT * FROM ${table} ORDER BY id`).raw().all();
        return [table, rows.map((row) => JSON.stringify(row))];
      }),
    );
  } finally {
    db.close();
  }
}

/** What is wrong with the areas after every run of theirs was to move: a sentence each. */
export function findFaults({ original, areas }: Farm): string[] {
  const wanted = rowsOf(original);
  return areas.flatMap(({ directory, cacheDirectory }) => {
    const moved = rowsOf(join(directory, "completed-runs.db"));
    const lost = records.filter((table) => moved[table]?.join("\n") !== wanted[table]?.join("\n"));
    const files = [
      join(directory, "megatest.db"),
      ...["megatest.db", "megatest_ref.db"].map((name) => join(cacheDirectory, name)),
    ];
    const left = files.filter((file) => {
      const rows = rowsOf(file);
      // A guard of ids may be there instead.
      return records.some((table) => rows[table]?.some((row) => wanted[table]?.includes(row)));
    });
    return [
      ...lost.map((table) => `${directory}: ${table} of completed-runs.db is not what it was in the cache`),
      ...left.map((file) => `${file} has rows of runs that moved`),
    ];
  });
}
