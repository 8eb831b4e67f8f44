import { statSync } from "node:fs";
import { readFenceRow } from "../../../shared/lease/fence.ts";
import { leaseState } from "../../../shared/lease/lease.ts";
import type { Part } from "../../../shared/sqlite/connection.ts";
import { lifeOf } from "../../../shared/sqlite/times.ts";
import { bytesText } from "../../../shared/text.ts";
import { openReadonly } from "../../areas/open-readonly.ts";
import type { Check } from "../../contract/area.ts";
import { bad, type CheckName, examine, good, note } from "./check.ts";
import { type DoctorContext, nameOf } from "./context.ts";
import { type Budget, sumOver } from "./scan-budget.ts";

/** Larger files are not checked in one go: the check takes minutes, and blocks writers. */
const largest = 4 * 2 ** 30;

/**
 * Runs SQLite's integrity check on each database. It reads a whole file under one lock, so it runs only if no other
 * process would have to wait; otherwise the verdict says why not.
 */
export async function checkIntegrity(context: DoctorContext, budget: Budget): Promise<Check[]> {
  const { files } = context;
  const busy = await whyBusy(context, budget);
  const checks: Check[] = [];
  for (const [part, file] of Object.entries(files) as [Part, string][]) {
    const name = `integrity/${nameOf[part]}` as const;
    // Only mtjobs works on completed-runs.db.
    const reason = part === "completed" && busy?.held !== true ? undefined : busy?.why;
    checks.push(...(await examine(name, () => [checkFile(name, part, file, reason)])));
  }
  return checks;
}

function checkFile(name: CheckName, part: Part, file: string, busy: string | undefined): Check {
  const { size } = statSync(file);
  const db = openReadonly({ [part]: file });
  try {
    // Reads the schema in any case, to find damage at the beginning of a file while the area is busy.
    db.prepare(`SELECT count(*) FROM ${part}.sqlite_schema`).get();
    if (busy !== undefined) {
      return note(name, `not fully checked: ${busy}`, { remedy: "run it again when the area is quiet" });
    }
    if (size > largest) {
      return note(name, `not fully checked: its size is ${bytesText(size)}`, {
        remedy: `when the area is quiet, run sqlite3 ${file} 'PRAGMA integrity_check'`,
      });
    }
    const found = db.prepare<[], string>(`PRAGMA ${part}.integrity_check(20)`).pluck().all();
    if (found.length === 1 && found[0] === "ok") return good(name, "SQLite's integrity check passed");
    return bad(name, `SQLite's integrity check failed: ${found[0]}`, {
      remedy: "stop all programs that use it, copy it away, then restore a backup or use sqlite3's .recover",
      details: { found },
    });
  } finally {
    db.close();
  }
}

/** Returns why the area is not quiet; undefined if it is. */
async function whyBusy(
  { area, home, servers, files, settings }: DoctorContext,
  budget: Budget,
): Promise<{ why: string; held: boolean } | undefined> {
  if (home.atHome === false)
    return { why: "only its homehost can tell whether the area is quiet", held: false };
  const alive = typeof servers === "string" ? undefined : servers.find(({ state }) => state !== "stale");
  const holder = holderOf(area.megatestDb, settings.host);
  if (holder !== undefined) return { why: `${holder} is working on it`, held: true };
  if (alive !== undefined)
    return { why: `a Megatest server is alive (pid ${alive.pid} on ${alive.host})`, held: false };
  const flying = await isInFlight(files, budget).catch(() => false);
  return flying ? { why: "tests are running", held: false } : undefined;
}

function holderOf(file: string, host: string): string | undefined {
  try {
    const db = openReadonly({ area: file });
    try {
      const row = readFenceRow(db, "area");
      return row !== undefined && leaseState(row, host) === "held" ? (row.holder ?? undefined) : undefined;
    } finally {
      db.close();
    }
  } catch {
    return undefined; // the checks of that file report the reason
  }
}

/** Returns true if an unfinished test has been active within a day. */
async function isInFlight({ area, cache }: DoctorContext["files"], budget: Budget): Promise<boolean> {
  const part = cache === undefined ? "area" : "cache";
  const file = cache ?? area;
  if (file === undefined) return false;
  const db = openReadonly({ [part]: file });
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
