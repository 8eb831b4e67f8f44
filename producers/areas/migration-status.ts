import type { MigrationState } from "../../shared/contract/migration-row.ts";
import type { Connection } from "../../shared/sqlite/connection.ts";
import { hasTable } from "../../shared/sqlite/table.ts";
import type { MigrationFacts } from "../contract/area.ts";
import { isoTime } from "./iso-time.ts";

type Row = Omit<MigrationFacts, "open" | "begunAt" | "changedAt"> & { begunAt: number; changedAt: number };

/** Returns null if the area was never migrated. */
export function readMigration(db: Connection): MigrationFacts | null {
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

/** Returns the tokens of an area's open migrations. */
export function openMigrationTokens(db: Connection): number[] {
  if (!hasTable(db, "area", "mtjobs_migrations")) return [];
  return db
    .prepare<[], number>(
      "SELECT token FROM area.mtjobs_migrations WHERE state NOT IN ('settled', 'undone') ORDER BY token",
    )
    .pluck()
    .all();
}

export const stateTexts: Record<MigrationState, string> = {
  closing: "the old home reconciles its databases and closes its cache",
  closed: "the old cache is closed and copied to the area",
  installed: "the copy is installed on the new home",
  intent: ".homehost is being replaced",
  switched: "the new home is in use; late writes on the old one are collected",
  settled: "done",
  undoing: "being undone",
  undone: "undone",
};

/** The mark in a cache that was closed because the homehost moved away. */
export interface ClosedFacts {
  token: number;
  movedTo: string;
  /** ISO 8601. */
  closedAt: string;
}

/** Returns null if the cache accepts writes. */
export function readClosed(db: Connection): ClosedFacts | null {
  if (!hasTable(db, "cache", "mtjobs_closed")) return null;
  const row = db
    .prepare<[], { token: number; movedTo: string; closedAt: number }>(
      "SELECT token, moved_to AS movedTo, closed_at AS closedAt FROM cache.mtjobs_closed WHERE id = 1",
    )
    .get();
  return row === undefined ? null : { ...row, closedAt: isoTime(row.closedAt) };
}
