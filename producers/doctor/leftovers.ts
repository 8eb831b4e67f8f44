import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { msSince } from "../../shared/elapsed.ts";
import { plural } from "../../shared/plural.ts";
import { leaseStateOf, readFenceRow, readStates } from "../area-facts.ts";
import { openLook } from "../open-look.ts";
import { agoText } from "../text/amounts.ts";
import { bad, type Check, examine, good, note } from "./check.ts";
import type { Patient } from "./patient.ts";

/** A file of ours that is there for an instant is left over after this, in ms. */
const instantMs = 3_600_000;

const repair = "mtjobs doctor --repair, or any job";

/** What jobs that died left: a lease, runs half moved, files that are there for an instant only. */
export async function checkLeftovers(patient: Patient): Promise<Check[]> {
  return [
    ...(await examine("lease", () => [checkLease(patient)])),
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
      const until = new Date(Math.min(row.expires_at, 8.64e15)).toISOString();
      const verdict = `the lease of ${who} ends ${until}, later than any lease lasts: the clock of its host was wrong`;
      return bad("lease", verdict, { remedy: `set that clock; then ${repair} ends the lease` });
    }
    const since = agoText(new Date(row.renewed_at).toISOString());
    return bad("lease", `${who} died at work, last heard of ${since}`, { remedy: repair });
  } finally {
    db.close();
  }
}

function checkStates({ area, files, settings }: Patient): Check {
  if (files.completed === undefined) return good("half-moved", "nothing was moved from this area yet");
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
  const old = readdirSync(area.privateDir).filter((name) => {
    if (!/\.tmp$|^clock-/.test(name)) return false;
    const stat = statSync(join(area.privateDir, name), { throwIfNoEntry: false });
    return stat !== undefined && msSince(stat.mtimeMs) > instantMs;
  });
  return old.length === 0
    ? good("left-files", "no file of a dead job lies about")
    : note("left-files", `a dead job left ${old.join(", ")} in .mtjobs`, {
        remedy: "delete them: nothing reads them",
      });
}
