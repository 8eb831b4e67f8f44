import { statSync } from "node:fs";
import { lifeOf } from "../../shared/sqlite/times.ts";
import { leaseStateOf, readFenceRow } from "../area-facts.ts";
import { openLook, type Part } from "../open-look.ts";
import { bytesText } from "../text/amounts.ts";
import { bad, type Check, examine, good, note } from "./check.ts";
import { nameOf, type Patient } from "./patient.ts";
import { type Budget, sumOver } from "./scan.ts";

/** Larger files are not read through in one go: it takes minutes, in which nobody could write. */
const largest = 4 * 2 ** 30;

/**
 * SQLite's own check of each database. It reads a whole file under one lock, so it is made only where that keeps nobody
 * waiting; else it is said why not.
 */
export async function checkIntegrity(patient: Patient, budget: Budget): Promise<Check[]> {
  const { files } = patient;
  const busy = await whyBusy(patient, budget);
  const checks: Check[] = [];
  for (const [part, file] of Object.entries(files) as [Part, string][]) {
    const name = `integrity/${nameOf[part]}`;
    // Nobody but jobs of ours works on completed-runs.db.
    const reason = part === "completed" && busy?.held !== true ? undefined : busy?.why;
    checks.push(...(await examine(name, () => [checkFile(name, part, file, reason)])));
  }
  return checks;
}

function checkFile(name: string, part: Part, file: string, busy: string | undefined): Check {
  const { size } = statSync(file);
  const db = openLook({ [part]: file });
  try {
    // Reads the schema in any case, so that a file damaged at its beginning is found while the area is busy, too.
    db.prepare(`SELECT count(*) FROM ${part}.sqlite_schema`).get();
    if (busy !== undefined) {
      return note(name, `not checked in full: ${busy}`, { remedy: "run it again when the area is quiet" });
    }
    if (size > largest) {
      return note(name, `not checked in full: it is ${bytesText(size)} large`, {
        remedy: `when the area is quiet: sqlite3 ${file} 'PRAGMA integrity_check'`,
      });
    }
    const found = db.prepare<[], string>(`PRAGMA ${part}.integrity_check(20)`).pluck().all();
    if (found.length === 1 && found[0] === "ok") return good(name, "SQLite finds no fault in it");
    return bad(name, `SQLite finds faults in it: ${found[0]}`, {
      remedy: "stop all that uses it, copy it away, and restore a backup or use sqlite3's .recover",
      details: { found },
    });
  } finally {
    db.close();
  }
}

/** Why the area is not quiet; undefined where it is. */
async function whyBusy(
  { area, home, servers, files, settings }: Patient,
  budget: Budget,
): Promise<{ why: string; held: boolean } | undefined> {
  if (home.atHome === false)
    return { why: "whether the area is quiet is seen only on its homehost", held: false };
  const alive = typeof servers === "string" ? undefined : servers.find(({ state }) => state !== "stale");
  const holder = holderOf(area.megatestDb, settings.host);
  if (holder !== undefined) return { why: `${holder} is at work on it`, held: true };
  if (alive !== undefined)
    return { why: `a Megatest server is alive (pid ${alive.pid} on ${alive.host})`, held: false };
  const flying = await isInFlight(files, budget).catch(() => false);
  return flying ? { why: "tests are in flight", held: false } : undefined;
}

function holderOf(file: string, host: string): string | undefined {
  try {
    const db = openLook({ area: file });
    try {
      const row = readFenceRow(db);
      return row !== undefined && leaseStateOf(row, host) === "held" ? (row.holder ?? undefined) : undefined;
    } finally {
      db.close();
    }
  } catch {
    return undefined; // said by the checks of that file
  }
}

/** True where a test gave a sign of life within a day and has not ended. */
async function isInFlight({ area, cache }: Patient["files"], budget: Budget): Promise<boolean> {
  const part = cache === undefined ? "area" : "cache";
  const file = cache ?? area;
  if (file === undefined) return false;
  const db = openLook({ [part]: file });
  try {
    const since = Math.floor(Date.now() / 1000) - 24 * 3600;
    const { sums } = await sumOver(db, {
      part,
      table: "tests",
      budget,
      sql: `SELECT count(*) FROM ${part}.tests WHERE id BETWEEN :from AND :to
        AND state IN ('RUNNING', 'LAUNCHED', 'REMOTEHOSTSTART')
        AND ${lifeOf("tests")} > :since`,
      parameters: { since },
    });
    return (sums[0] ?? 0) > 0;
  } finally {
    db.close();
  }
}
