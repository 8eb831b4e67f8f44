import { readdirSync } from "node:fs";
import { findCache } from "../../shared/area/cache.ts";
import { homePolicy } from "../../shared/area/home-policy.ts";
import { msSince } from "../../shared/elapsed.ts";
import { leaseStateOf, readFenceRow } from "../area-facts.ts";
import { type MigrationFacts, readClosed, readMigration, stateTexts } from "../migration-facts.ts";
import { openLook } from "../open-look.ts";
import { agoText } from "../text/amounts.ts";
import { bad, type Check, examine, good, note } from "./check.ts";
import { checkLeftStrays } from "./left-strays.ts";
import type { Patient } from "./patient.ts";

/** A migration of which nothing has been heard for this long, in ms, stands still: workers settle it in less. */
const standsStillMs = 5 * 60_000;

interface Stand {
  migration: MigrationFacts | null;
  atWork: boolean;
}

/** What a migration that is open, or that died, leaves in an area; and whether its policy can be read. */
export async function checkMigrations(patient: Patient): Promise<Check[]> {
  let stand: Stand = { migration: null, atWork: false };
  return [
    ...(await examine("migration", () => {
      stand = look(patient);
      return [checkMigration(stand)];
    })),
    ...(await examine("closed-cache", () => checkClosed(patient, stand))),
    ...(await examine("home-files", () => [checkHomeFiles(patient, stand)])),
    ...(await examine("left-strays", () => [checkLeftStrays(patient)])),
    ...(await examine("home-policy", () => [checkPolicy(patient)])),
  ];
}

function look({ area, settings }: Patient): Stand {
  const db = openLook({ area: area.megatestDb });
  try {
    const migration = readMigration(db);
    const row = readFenceRow(db);
    const recent = msSince(Date.parse(migration?.changedAt ?? "")) < standsStillMs;
    return {
      migration,
      atWork: recent || (row !== undefined && leaseStateOf(row, settings.host) === "held"),
    };
  } finally {
    db.close();
  }
}

function checkMigration({ migration, atWork }: Stand): Check {
  if (migration === null) return good("migration", "the area was never migrated");
  const { kind, state, from, to, fromHost, toHost, open, changedAt } = migration;
  const details = { ...migration };
  const what = `the last ${kind === "takeover" ? "take-over" : "migration"}, from ${from} to ${to}`;
  if (!open) return good("migration", `${what}: ${stateTexts[state]}`, { details });
  if (kind === "takeover" && state === "switched") {
    return note("migration", `${what}: ${fromHost} has not come back yet, to bring what it did not sync`, {
      remedy: `when ${fromHost} is on again, start mtjobs worker there before any Megatest`,
      details,
    });
  }
  const told = `${what}: ${stateTexts[state]} (${state}, ${agoText(changedAt)})`;
  if (atWork) return note("migration", told, { details });
  const remedy = `start mtjobs worker on ${fromHost} and on ${toHost}: they finish or undo it within a minute`;
  // The new home works by then; only the watching is left.
  return state === "switched"
    ? note("migration", told, { remedy, details })
    : bad("migration", `${told}, and nobody is at work on it`, { remedy, details });
}

function checkClosed({ area, settings, home }: Patient, { migration, atWork }: Stand): Check[] {
  const cache = findCache(area, settings);
  if (cache === undefined) return [];
  const db = openLook({ cache: cache.megatestDb });
  try {
    const closed = readClosed(db);
    if (closed === null) return [good("closed-cache", "this user's cache on this host is open to writers")];
    const what = `the cache on this host is closed to writers since ${agoText(closed.closedAt)}: homehost moved to ${closed.movedTo}`;
    const details = { ...closed };
    if (home.atHome === false) {
      const remedy = "end what still writes to it; the worker removes it a week after the move";
      return [note("closed-cache", what, { remedy, details })];
    }
    if (migration?.open === true && atWork) return [note("closed-cache", what, { details })];
    const remedy = "start mtjobs worker here, as this user: it brings what is newer to it and opens it";
    return [bad("closed-cache", `${what}, but this is the homehost`, { remedy, details })];
  } finally {
    db.close();
  }
}

function checkHomeFiles({ area }: Patient, { migration, atWork }: Stand): Check {
  const left = readdirSync(area.realPath).filter((name) => name.startsWith(".homehost.mtjobs-"));
  if (left.length === 0) return good("home-files", "no other .homehost waits to be put in its place");
  const details = { files: left };
  return migration?.open === true
    ? note("home-files", `${left.join(", ")} ${atWork ? "is about to be" : "was to be"} the next .homehost`, {
        details,
      })
    : note("home-files", `a worker that died left ${left.join(", ")}`, {
        remedy: "delete it: no migration is open",
        details,
      });
}

function checkPolicy({ area }: Patient): Check {
  const { migrate, prefer } = homePolicy(area.config);
  return migrate === "never" || prefer.length === 0
    ? good("home-policy", "no worker moves the area by itself")
    : good("home-policy", `a worker moves the area by itself, to the first of ${prefer.join(", ")}`, {
        details: { prefer },
      });
}
