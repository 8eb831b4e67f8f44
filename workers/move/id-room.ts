import { existsSync } from "node:fs";
import { JobsError } from "../../shared/errors.ts";
import { highestId, lowestId, shownId } from "../../shared/run-id.ts";
import { type Connection, openConnection, type Part } from "../../shared/sqlite/connection.ts";
import { largestId, smallestId } from "../../shared/sqlite/ids.ts";
import { columnNames } from "../../shared/sqlite/table.ts";
import type { Files } from "./move.ts";
import { type IdentifiedTable, identifiedTables, unsyncedTables } from "./record-tables.ts";

/** How many ids must be free at an end of a table: for guards, for rows that take new ones, for a migration's gap. */
const room = 2n ** 40n;

/**
 * SQLite has no id above 2^63 - 1, and once that is used it hands out random ones: no guard could stand above it, and no gap.
 * Looks before anything is written; opens the files, so ask about a refill and hot journals first.
 *
 * @throws JobsError `ids-used-up`
 */
export function assertIdRoom(files: Partial<Files>): void {
  const { completed, ...sources } = files;
  const there = completed !== undefined && existsSync(completed) ? { completed } : {};
  const given = { ...sources, ...there };
  const db = openConnection(given, { busyTimeoutMs: 25 });
  try {
    for (const part of Object.keys(given) as Part[]) {
      for (const table of identifiedTables) {
        const id = endOf(db, part, table, "largest");
        if (id > highestId - room) throw usedUp(given[part] ?? part, table, id);
      }
      // Ids of these mean nothing elsewhere: new ones are found at either end.
      for (const table of unsyncedTables) {
        const id = endOf(db, part, table, "largest");
        if (id > highestId - room && endOf(db, part, table, "smallest") < lowestId + room)
          throw usedUp(given[part] ?? part, table, id);
      }
    }
  } finally {
    db.close();
  }
}

function endOf(db: Connection, part: Part, table: string, end: "largest" | "smallest"): bigint {
  if (!columnNames(db, part, table).includes("id")) return 0n;
  const name = `${part}.${table}`;
  return (end === "largest" ? largestId(db, name) : smallestId(db, name)) ?? 0n;
}

/** The next id above `id`, and `more` above that; a row may have come since `assertIdRoom`. @throws JobsError `ids-used-up` */
export function idAbove(table: IdentifiedTable, id: bigint, more = 0n): bigint {
  const next = id + more + 1n;
  if (next > highestId) throw usedUp("the area", table, id);
  return next;
}

function usedUp(file: string, table: string, id: bigint): JobsError {
  return new JobsError(
    "ids-used-up",
    `table ${table} of ${file} has a row with the id ${id}: there is no room above it`,
    {
      hint: "with no Megatest at work, give that row a lower id in megatest.db, the cache and its ref, and what refers to it; then run the job again",
      details: { file, table, id: shownId(id) },
    },
  );
}
