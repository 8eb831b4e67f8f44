import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isUnfinished } from "../../shared/area/ownership.ts";
import { msSince } from "../../shared/elapsed.ts";
import { assertRises } from "../../shared/lease/token.ts";
import { plural } from "../../shared/plural.ts";
import { hasTable, leaseStateOf, readFenceRow, readStates } from "../area-facts.ts";
import { isoTime } from "../iso-time.ts";
import { openLook, type Part } from "../open-look.ts";
import { agoText } from "../text/amounts.ts";
import { bad, type Check, examine, good, note } from "./check.ts";
import { nameOf, type Patient } from "./patient.ts";

/** A file of ours that is there for an instant is left over after this, in ms. */
const instantMs = 3_600_000;

const repair = "mtjobs doctor --repair, or any job";

/** What jobs that died left: a lease, runs half moved, files that are there for an instant only. */
export async function checkLeftovers(patient: Patient): Promise<Check[]> {
  return [
    ...(await examine("lease", () => [checkLease(patient)])),
    ...(await checkTokens(patient)),
    ...(await examine("half-moved", () => [checkStates(patient)])),
    ...(await examine("left-files", () => [checkFiles(patient)])),
  ];
}

function checkLease({ area, settings }: Patient): Check {
  const db = openLook({ area: area.megatestDb });
  try {
    const row = readFenceRow(db);
    if (row === undefined || row.holder === null) return good("lease", "nobody holds the area");
    const who = `${row.holder} for ${row.job_id ?? "?"}`;
    const state = leaseStateOf(row, settings.host);
    if (state === "held") return note("lease", `a job is at work: ${who}`);
    if (state === "ahead") {
      const until = isoTime(row.expires_at);
      const [ends, remedy] = Number.isFinite(row.expires_at)
        ? [
            `${until}, later than any lease lasts: the clock of its host was wrong`,
            `set that clock; then ${repair} ends the lease`,
          ]
        : ["at what is no time", `${repair}, ends the lease`];
      return bad("lease", `the lease of ${who} ends ${ends}`, { remedy });
    }
    const since = agoText(isoTime(row.renewed_at));
    return bad("lease", `${who} died at work, last heard of ${since}`, { remedy: repair });
  } finally {
    db.close();
  }
}

/** Says nothing of a token that can rise. */
async function checkTokens({ files }: Patient): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [part, file] of Object.entries(files) as [Part, string][]) {
    const found = await examine(`fence/${nameOf[part]}`, () => {
      const db = openLook({ [part]: file });
      try {
        const row = hasTable(db, part, "mtjobs_fence")
          ? db.prepare<[], { token: unknown }>(`SELECT token FROM ${part}.mtjobs_fence WHERE id = 1`).get()
          : undefined;
        if (row !== undefined) assertRises(db, part, row.token);
        return [];
      } finally {
        db.close();
      }
    });
    // What else keeps a file from being looked at is said of it elsewhere.
    checks.push(...found.filter(({ details }) => details?.code === "corrupt"));
  }
  return checks;
}

function checkStates({ area, files, settings }: Patient): Check {
  if (files.completed === undefined) return good("half-moved", "there is no completed-runs.db");
  const db = openLook({ area: area.megatestDb, completed: files.completed });
  try {
    const states = readStates(db);
    const told = Object.entries(states).map(([state, count]) => `${plural(count, "run")} ${state}`);
    if (told.length === 0) return good("half-moved", "no run is half moved");
    const row = readFenceRow(db);
    return row !== undefined && leaseStateOf(row, settings.host) === "held"
      ? note("half-moved", `a job holds the area: ${told.join(", ")}`, { details: states })
      : bad("half-moved", `a job died: ${told.join(", ")}`, { remedy: repair, details: states });
  } finally {
    db.close();
  }
}

function checkFiles({ area }: Patient): Check {
  if (!existsSync(area.privateDir)) return good("left-files", "there is no .mtjobs yet");
  const old = [
    ...leftIn(area.realPath, isUnfinished),
    ...leftIn(area.privateDir, (name) => /\.tmp$|^clock-/.test(name) || isUnfinished(name)),
  ];
  return old.length === 0
    ? good("left-files", "no file of a dead job lies about")
    : note("left-files", `a dead job left ${old.join(", ")}`, { remedy: "delete them: nothing reads them" });
}

function leftIn(directory: string, isOfInstant: (name: string) => boolean): string[] {
  return readdirSync(directory)
    .filter(isOfInstant)
    .map((name) => join(directory, name))
    .filter((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      return stat !== undefined && msSince(stat.mtimeMs) > instantMs;
    });
}
