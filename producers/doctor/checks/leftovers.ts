import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isUnfinished } from "../../../shared/area/ownership.ts";
import { readFenceRow } from "../../../shared/lease/fence.ts";
import { leaseState } from "../../../shared/lease/lease.ts";
import { assertTokenCanRise } from "../../../shared/lease/token.ts";
import type { Part } from "../../../shared/sqlite/connection.ts";
import { agoText, plural } from "../../../shared/text.ts";
import { msSince } from "../../../shared/time/elapsed.ts";
import { isoTime } from "../../areas/iso-time.ts";
import { openReadonly } from "../../areas/open-readonly.ts";
import { readStates } from "../../areas/queries.ts";
import type { Check } from "../../contract/area.ts";
import { bad, examine, good, note, repair } from "./check.ts";
import { type DoctorContext, nameOf } from "./context.ts";

/** A short-lived file of mtjobs counts as left over after this, in ms. */
const instantMs = 3_600_000;

/** Checks what dead jobs left: a lease, half-moved runs, short-lived files. */
export async function checkLeftovers(context: DoctorContext): Promise<Check[]> {
  return [
    ...(await examine("lease", () => [checkLease(context)])),
    ...(await checkTokens(context)),
    ...(await examine("half-moved", () => [checkStates(context)])),
    ...(await examine("left-files", () => [checkFiles(context)])),
  ];
}

function checkLease({ area, settings }: DoctorContext): Check {
  const db = openReadonly({ area: area.megatestDb });
  try {
    const row = readFenceRow(db, "area");
    if (row === undefined || row.holder === null) return good("lease", "no job holds the area");
    const who = `${row.holder} for ${row.jobId ?? "?"}`;
    const state = leaseState(row, settings.host);
    if (state === "held")
      return note("lease", `a job is running: ${who}`, { details: { refusal: "locked" } });
    if (state === "ahead") {
      const until = isoTime(row.expiresAt);
      const [ends, remedy] = Number.isFinite(row.expiresAt)
        ? [
            `${until}, later than any lease can end: the clock of its host was wrong`,
            `set that clock, then ${repair}, to end the lease`,
          ]
        : ["at an invalid time", `${repair}, to end the lease`];
      return bad("lease", `the lease of ${who} ends ${ends}`, { remedy });
    }
    const since = agoText(isoTime(row.renewedAt));
    return bad("lease", `${who} died while working, last seen ${since}`, { remedy: repair });
  } finally {
    db.close();
  }
}

/** Reports only tokens that cannot be incremented. */
async function checkTokens({ files }: DoctorContext): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [part, file] of Object.entries(files) as [Part, string][]) {
    const found = await examine(`fence/${nameOf[part]}`, () => {
      const db = openReadonly({ [part]: file });
      try {
        const row = readFenceRow(db, part);
        if (row !== undefined) assertTokenCanRise(db, part, row.token);
        return [];
      } finally {
        db.close();
      }
    });
    // Other checks report other reasons why a file cannot be read.
    checks.push(...found.filter(({ details }) => details?.code === "corrupt"));
  }
  return checks;
}

function checkStates({ area, files, settings }: DoctorContext): Check {
  if (files.completed === undefined) return good("half-moved", "there is no completed-runs.db");
  const db = openReadonly({ area: area.megatestDb, completed: files.completed });
  try {
    const states = readStates(db);
    const counts = Object.entries(states).map(([state, count]) => `${plural(count, "run")} ${state}`);
    if (counts.length === 0) return good("half-moved", "no run is half moved");
    const row = readFenceRow(db, "area");
    const lease = row === undefined ? "free" : leaseState(row, settings.host);
    if (lease === "held")
      return note("half-moved", `a job holds the area: ${counts.join(", ")}`, { details: states });
    // A job that was interrupted or cancelled has given its lease back.
    const what = lease === "free" ? "a job was interrupted, the next job finishes it" : "a job died";
    return bad("half-moved", `${what}: ${counts.join(", ")}`, { remedy: repair, details: states });
  } finally {
    db.close();
  }
}

function checkFiles({ area }: DoctorContext): Check {
  if (!existsSync(area.privateDir)) return good("left-files", "there is no .mtjobs yet");
  const old = [
    ...leftIn(area.realPath, isUnfinished),
    ...leftIn(area.privateDir, (name) => /\.tmp$|^clock-/.test(name) || isUnfinished(name)),
  ];
  return old.length === 0
    ? good("left-files", "no files of a dead job")
    : note("left-files", `a dead job left ${old.join(", ")}`, { remedy: "delete them: nothing reads them" });
}

function leftIn(directory: string, isOfInstant: (name: string) => boolean): string[] {
  return readdirSync(directory)
    .filter(isOfInstant)
    .map((name) => join(directory, name))
    .filter((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      if (stat === undefined) return false;
      const ms = msSince(stat.mtimeMs);
      // In the future: a job may be writing it on a file server whose clock is ahead.
      return Number.isFinite(ms) && ms > instantMs;
    });
}
