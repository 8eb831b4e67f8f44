import { readdirSync } from "node:fs";
import { findCache } from "../../../shared/area/cache/cache.ts";
import { homePolicy } from "../../../shared/area/config/home-policy.ts";
import { readFenceRow } from "../../../shared/lease/fence.ts";
import { leaseState } from "../../../shared/lease/lease.ts";
import { agoText } from "../../../shared/text.ts";
import { msSince } from "../../../shared/time/elapsed.ts";
import { readClosed, readMigration, stateTexts } from "../../areas/migration-status.ts";
import { openReadonly } from "../../areas/open-readonly.ts";
import type { Check, MigrationFacts } from "../../contract/area.ts";
import { bad, examine, good, note } from "./check.ts";
import type { DoctorContext } from "./context.ts";
import { checkDivergentCaches } from "./divergent-caches.ts";

/** A migration unchanged for this long, in ms, is stuck: workers settle it faster. */
const standsStillMs = 5 * 60_000;

interface MigrationState {
  migration: MigrationFacts | null;
  atWork: boolean;
}

/** Checks what an open or dead migration left in an area, and that its policy is readable. */
export async function checkMigrations(context: DoctorContext): Promise<Check[]> {
  let migrationState: MigrationState = { migration: null, atWork: false };
  return [
    ...(await examine("migration", () => {
      migrationState = readState(context);
      return [checkMigration(migrationState)];
    })),
    ...(await examine("closed-cache", () => checkClosed(context, migrationState))),
    ...(await examine("home-files", () => [checkHomeFiles(context, migrationState)])),
    ...(await examine("left-strays", () => [checkDivergentCaches(context)])),
    ...(await examine("home-policy", () => [checkPolicy(context)])),
  ];
}

function readState({ area, settings }: DoctorContext): MigrationState {
  const db = openReadonly({ area: area.megatestDb });
  try {
    const migration = readMigration(db);
    const row = readFenceRow(db, "area");
    const recent = msSince(Date.parse(migration?.changedAt ?? "")) < standsStillMs;
    return {
      migration,
      atWork: recent || (row !== undefined && leaseState(row, settings.host) === "held"),
    };
  } finally {
    db.close();
  }
}

function checkMigration({ migration, atWork }: MigrationState): Check {
  if (migration === null) return good("migration", "the area has never been migrated");
  const { kind, state, from, to, fromHost, toHost, open, changedAt } = migration;
  const details = { ...migration };
  const what = `the last ${kind === "takeover" ? "take-over" : "migration"}, from ${from} to ${to}`;
  if (!open) return good("migration", `${what}: ${stateTexts[state]}`, { details });
  if (kind === "takeover" && state === "switched") {
    return note("migration", `${what}: ${fromHost} is not back yet; what it did not sync is still missing`, {
      remedy: `when ${fromHost} is on again, start mtjobs worker there before Megatest`,
      details,
    });
  }
  const verdict = `${what}: ${stateTexts[state]} (${state}, ${agoText(changedAt)})`;
  if (atWork) return note("migration", verdict, { details });
  const remedy = `start mtjobs worker on ${fromHost} and on ${toHost}; they finish or undo it within a minute`;
  // The new home is in use by then; only the watch for late writes is left.
  return state === "switched"
    ? note("migration", verdict, { remedy, details })
    : bad("migration", `${verdict}, and no worker is handling it`, { remedy, details });
}

function checkClosed(
  { area, settings, home }: DoctorContext,
  { migration, atWork }: MigrationState,
): Check[] {
  const cache = findCache(area, settings);
  if (cache === undefined) return [];
  const db = openReadonly({ cache: cache.megatestDb });
  try {
    const closed = readClosed(db);
    if (closed === null) return [good("closed-cache", "this user's cache on this host accepts writes")];
    const what = `the cache on this host was closed to writers ${agoText(closed.closedAt)}: homehost moved to ${closed.movedTo}`;
    const details = { ...closed };
    if (home.atHome === false) {
      const remedy = "stop programs that still write to it; the worker removes it a week after the migration";
      return [note("closed-cache", what, { remedy, details })];
    }
    if (migration?.open === true && atWork) return [note("closed-cache", what, { details })];
    const remedy = "start mtjobs worker here, as this user: it merges newer data into the cache and opens it";
    return [bad("closed-cache", `${what}, but this is the homehost`, { remedy, details })];
  } finally {
    db.close();
  }
}

function checkHomeFiles({ area }: DoctorContext, { migration, atWork }: MigrationState): Check {
  const left = readdirSync(area.realPath).filter((name) => name.startsWith(".homehost.mtjobs-"));
  if (left.length === 0) return good("home-files", "no prepared .homehost is left");
  const details = { files: left };
  return migration?.open === true
    ? note(
        "home-files",
        `${left.join(", ")} ${atWork ? "is about to become" : "was to become"} the next .homehost`,
        {
          details,
        },
      )
    : note("home-files", `a dead worker left ${left.join(", ")}`, {
        remedy: "delete it: no migration is open",
        details,
      });
}

function checkPolicy({ area }: DoctorContext): Check {
  const { migrate, prefer } = homePolicy(area.config);
  return migrate === "never" || prefer.length === 0
    ? good("home-policy", "no worker moves the area automatically")
    : good("home-policy", `a worker moves the area automatically, to the first of ${prefer.join(", ")}`, {
        details: { prefer },
      });
}
