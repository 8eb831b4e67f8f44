import { assertGuardsFit } from "../../shared/area-db/hidden-rows.ts";
import { assertRoomIn } from "../../shared/area-db/id-room.ts";
import { openConnection, type Part } from "../../shared/sqlite/connection.ts";
import { forbiddingTriggers } from "../../shared/sqlite/triggers.ts";
import { assertFitSchemas } from "./completed-db.ts";
import { busyTimeoutMs, existingFiles, type Files, removalOrder } from "./databases.ts";
import { keepWal } from "./open-readonly.ts";
import type { Tally } from "./tally.ts";

/**
 * Checks that the databases can be worked on, before anything is written; a job and its dry run report the same.
 * Opens the files, so check for a refill and hot journals first.
 *
 * @param tally is warned of what completed-runs.db will not have
 * @throws JobsError `ids-used-up`, `unknown-schema`
 */
export function assertSchemaFits(files: Files, tally: Pick<Tally, "warn">): void {
  const sources = [files.area, ...(files.cache === undefined ? [] : [files.cache])];
  const release = keepWal(files);
  try {
    assertIdRoom(files);
    assertFitSchemas(sources, (sentence) => tally.warn(sentence));
    assertGuardRows(files);
    warnOfTriggers(files, tally);
  } finally {
    release();
  }
}

/** Runs `assertRoomIn` on each existing file. @throws JobsError `ids-used-up` */
export function assertIdRoom(files: Partial<Files>): void {
  const given = existingFiles(files);
  const db = openConnection(given, { busyTimeoutMs });
  try {
    for (const [part, file] of Object.entries(given) as [Part, string][]) assertRoomIn(db, part, file);
  } finally {
    db.close();
  }
}

/** @throws JobsError `unknown-schema` if a constraint rejects the rows that guard ids */
function assertGuardRows(files: Files): void {
  const given = existingFiles(files);
  const db = openConnection(given, { busyTimeoutMs });
  try {
    assertGuardsFit(db, Object.keys(given) as Part[]);
  } finally {
    db.close();
  }
}

/** Warns of a site's triggers that a job overrides. */
function warnOfTriggers(files: Files, tally: Pick<Tally, "warn">): void {
  const { completed: _, ...sources } = files;
  const db = openConnection(sources, { busyTimeoutMs });
  try {
    const where = new Map<string, string[]>();
    for (const part of removalOrder.filter((source) => sources[source] !== undefined))
      for (const name of forbiddingTriggers(db, part))
        where.set(name, [...(where.get(name) ?? []), sources[part] ?? ""]);
    for (const [name, found] of where)
      tally.warn(
        `trigger ${name} may reject changes of a job: it is disabled while rows are written or removed (in ${found.join(", ")})`,
      );
  } finally {
    db.close();
  }
}
