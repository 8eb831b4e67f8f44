import type { MigrationState } from "../shared/migration-row.ts";
import { hasTable } from "./area-facts.ts";
import { isoTime } from "./iso-time.ts";
import type { Look } from "./open-look.ts";

/** The last migration of an area, as megatest.db tells. Times are ISO 8601. */
export interface MigrationFacts {
  /** Names its directory in `.mtjobs/migration/`. */
  token: number;
  jobId: string;
  requestedBy: string;
  kind: "migration" | "takeover";
  state: MigrationState;
  /** False once nothing is left to be done about it. */
  open: boolean;
  /** What `.homehost` held, and what it is to hold. */
  from: string;
  to: string;
  fromHost: string;
  toHost: string;
  begunAt: string;
  changedAt: string;
  /** Why it was undone. */
  reason: string | null;
}

type Row = Omit<MigrationFacts, "open" | "begunAt" | "changedAt"> & { begunAt: number; changedAt: number };

/** Null where the area was never migrated. */
export function readMigration(db: Look): MigrationFacts | null {
  if (!hasTable(db, "area", "mtjobs_migrations")) return null;
  const row = db
    .prepare<[], Row>(
      `SELECT token, job_id AS jobId, requested_by AS requestedBy, kind, state, from_home AS "from", to_home AS "to",
         from_host AS fromHost, to_host AS toHost, begun_at AS begunAt, changed_at AS changedAt, reason
       FROM area.mtjobs_migrations ORDER BY token DESC LIMIT 1`,
    )
    .get();
  if (row === undefined) return null;
  const open = row.state !== "settled" && row.state !== "undone";
  return { ...row, open, begunAt: isoTime(row.begunAt), changedAt: isoTime(row.changedAt) };
}

/** Tokens of an area's migrations of which something is left to be done. */
export function openMigrationTokens(db: Look): number[] {
  if (!hasTable(db, "area", "mtjobs_migrations")) return [];
  return db
    .prepare<[], number>(
      "SELECT token FROM area.mtjobs_migrations WHERE state NOT IN ('settled', 'undone') ORDER BY token",
    )
    .pluck()
    .all();
}

/** What a state means, for people. */
export const stateTexts: Record<MigrationState, string> = {
  closing: "the old home brings its databases together and closes its cache",
  closed: "the old cache is closed and copied to the area",
  installed: "the copy is in place on the new home",
  intent: ".homehost is being replaced",
  switched: "the new home works, and late writes on the old one are looked for",
  settled: "it is done",
  undoing: "it is being undone",
  undone: "it was undone",
};

/** A database that says that the homehost moved away from it. */
export interface ClosedFacts {
  token: number;
  movedTo: string;
  /** ISO 8601. */
  closedAt: string;
}

/** Null where the cache is open to writers. */
export function readClosed(db: Look): ClosedFacts | null {
  if (!hasTable(db, "cache", "mtjobs_closed")) return null;
  const row = db
    .prepare<[], { token: number; movedTo: string; closedAt: number }>(
      "SELECT token, moved_to AS movedTo, closed_at AS closedAt FROM cache.mtjobs_closed WHERE id = 1",
    )
    .get();
  return row === undefined ? null : { ...row, closedAt: isoTime(row.closedAt) };
}
