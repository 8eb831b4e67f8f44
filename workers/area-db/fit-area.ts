import { emptyCompleted } from "../../shared/area-db/completed-schema.ts";
import { assertGuardsFit } from "../../shared/area-db/hidden-rows.ts";
import { assertRoomIn } from "../../shared/area-db/id-room.ts";
import { type Connection, openConnection, type Part } from "../../shared/sqlite/connection.ts";
import { forbiddingTriggers } from "../../shared/sqlite/triggers.ts";
import { busyTimeoutMs, existingFiles, type Files, removalOrder } from "./databases.ts";
import { keepWal } from "./open-readonly.ts";
import type { Tally } from "./tally.ts";

/** The sources whose schema completed-runs.db adopts; a ref has its cache's. */
const adopted = ["area", "cache"] as const satisfies readonly Part[];

/**
 * Checks that the databases can be worked on, before anything is written; a job and its dry run report the same.
 * Opens the files, so check for a refill and hot journals first.
 *
 * @param tally is warned of what completed-runs.db will not have
 * @throws JobsError `ids-used-up`, `unknown-schema`
 */
export function assertSchemaFits(files: Files, tally: Pick<Tally, "warn">): void {
  const release = keepWal(files);
  try {
    withFiles(files, (db, given) => {
      assertRoom(db, given);
      const sources = adopted.flatMap((part) =>
        given[part] === undefined ? [] : [{ db, part, file: given[part] }],
      );
      for (const sentence of emptyCompleted(sources).warnings) tally.warn(sentence);
      assertGuardsFit(db, Object.keys(given) as Part[]);
      warnOfTriggers(db, files, tally);
    });
  } finally {
    release();
  }
}

/** Runs `assertRoomIn` on each existing file. @throws JobsError `ids-used-up` */
export function assertIdRoom(files: Partial<Files>): void {
  withFiles(files, assertRoom);
}

type Given = ReturnType<typeof existingFiles>;

function withFiles(files: Partial<Files>, check: (db: Connection, given: Given) => void): void {
  const given = existingFiles(files);
  const db = openConnection(given, { busyTimeoutMs });
  try {
    check(db, given);
  } finally {
    db.close();
  }
}

function assertRoom(db: Connection, given: Given): void {
  for (const [part, file] of Object.entries(given) as [Part, string][]) assertRoomIn(db, part, file);
}

/** Warns of a site's triggers that a job overrides. */
function warnOfTriggers(db: Connection, files: Files, tally: Pick<Tally, "warn">): void {
  const where = new Map<string, string[]>();
  for (const part of removalOrder.filter((source) => files[source] !== undefined))
    for (const name of forbiddingTriggers(db, part))
      where.set(name, [...(where.get(name) ?? []), files[part] ?? ""]);
  for (const [name, found] of where)
    tally.warn(
      `trigger ${name} may reject changes of a job: it is disabled while rows are written or removed (in ${found.join(", ")})`,
    );
}
