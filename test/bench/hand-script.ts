import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";

/**
 * What a user would do today: a script for the sqlite3 shell that attaches completed-runs.db, copies the
 * runs there and deletes them, in one big transaction for each database. It compares nothing, judges
 * nothing, and reads the cache alone.
 */

const byRun = ["tests", "run_stats", "extradat"];
const byTest = ["test_steps", "test_data", "test_rundat", "archives"];

function copySql(which: string): string {
  const runs = `SELECT id FROM main.runs WHERE ${which}`;
  const tests = `SELECT id FROM main.tests WHERE run_id IN (${runs})`;
  return [
    `INSERT INTO done.runs SELECT * FROM main.runs WHERE id IN (${runs});`,
    ...byRun.map(
      (table) => `INSERT INTO done.${table} SELECT * FROM main.${table} WHERE run_id IN (${runs});`,
    ),
    ...byTest.map(
      (table) => `INSERT INTO done.${table} SELECT * FROM main.${table} WHERE test_id IN (${tests});`,
    ),
  ].join("\n");
}

function deleteSql(which: string): string {
  const runs = `SELECT id FROM main.runs WHERE ${which}`;
  const tests = `SELECT id FROM main.tests WHERE run_id IN (${runs})`;
  return [
    ...byTest.map((table) => `DELETE FROM main.${table} WHERE test_id IN (${tests});`),
    ...byRun.map((table) => `DELETE FROM main.${table} WHERE run_id IN (${runs});`),
    `DELETE FROM main.runs WHERE ${which};`,
  ].join("\n");
}

/** Runs the script over cache, ref and megatest.db; returns ms. `which`: the SQL that the runs to move meet. */
export async function runHandScript(area: SampleArea, which: string): Promise<number> {
  const completed = join(area.directory, "completed-runs.db");
  const schema = execFileSync("sqlite3", [area.megatestDb, ".schema --nosys"], { encoding: "utf8" });
  const started = performance.now();
  await shell(completed, schema);
  const begin = "PRAGMA busy_timeout = 60000; PRAGMA synchronous = FULL;";
  await shell(
    area.cacheDb,
    `${begin} ATTACH '${completed}' AS done; PRAGMA done.synchronous = FULL;
     BEGIN IMMEDIATE; ${copySql(which)} COMMIT; DETACH done;
     BEGIN IMMEDIATE; ${deleteSql(which)} COMMIT;`,
  );
  for (const db of [area.refDb, area.megatestDb]) {
    await shell(db, `${begin} BEGIN IMMEDIATE; ${deleteSql(which)} COMMIT;`);
  }
  return performance.now() - started;
}

async function shell(db: string, sql: string): Promise<void> {
  const child = spawn("sqlite3", ["-bail", db], { stdio: ["pipe", "ignore", "inherit"] });
  child.stdin.end(sql);
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`sqlite3 ended with ${code}`);
}
