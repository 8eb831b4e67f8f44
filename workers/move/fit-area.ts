import { openConnection, type Part } from "../../shared/sqlite/connection.ts";
import { assertGuardsFit } from "../../shared/sqlite/hidden-rows.ts";
import { assertRoomIn } from "../../shared/sqlite/id-room.ts";
import { forbiddingTriggers } from "../../shared/sqlite/triggers.ts";
import { assertFitSchemas } from "./completed-db.ts";
import { busyTimeoutMs, existingFiles } from "./databases.ts";
import { type Files, removalOrder } from "./move.ts";
import { keepLog } from "./open-quietly.ts";
import type { Tally } from "./tally.ts";

/**
 * Makes sure that what the databases hold can be worked on, before anything is written: a job and its dry run say the same.
 * Opens the files, so ask about a refill and hot journals first.
 *
 * @param tally is told what completed-runs.db will not have
 * @throws JobsError `ids-used-up`, `unknown-schema`
 */
export function assertFit(files: Files, tally: Pick<Tally, "warn">): void {
  const sources = [files.area, ...(files.cache === undefined ? [] : [files.cache])];
  const release = keepLog(files);
  try {
    assertIdRoom(files);
    assertFitSchemas(sources, (sentence) => tally.warn(sentence));
    assertGuardRows(files);
    warnOfTriggers(files, tally);
  } finally {
    release();
  }
}

/** `assertRoomIn` each of the files that is there. @throws JobsError `ids-used-up` */
export function assertIdRoom(files: Partial<Files>): void {
  const given = existingFiles(files);
  const db = openConnection(given, { busyTimeoutMs });
  try {
    for (const [part, file] of Object.entries(given) as [Part, string][]) assertRoomIn(db, part, file);
  } finally {
    db.close();
  }
}

/** @throws JobsError `unknown-schema` where a constraint lets no row of ours be that guards ids */
function assertGuardRows(files: Files): void {
  const given = existingFiles(files);
  const db = openConnection(given, { busyTimeoutMs });
  try {
    assertGuardsFit(db, Object.keys(given) as Part[]);
  } finally {
    db.close();
  }
}

/** What a site's triggers forbid is done all the same: it should know. */
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
        `the trigger ${name} may forbid what a job does: it is set aside while rows are written or removed (in ${found.join(", ")})`,
      );
  } finally {
    db.close();
  }
}
