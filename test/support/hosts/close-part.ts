import type { Connection } from "../../../shared/sqlite/connection.ts";
import { DatabaseSession } from "../../../workers/area-db/database-session.ts";
import * as closed from "../../../workers/migrate/pair/closed.ts";

const sessionOf = (db: Connection, token: number) =>
  new DatabaseSession({ db, token, signal: new AbortController().signal });

/** Closes a database as a step with that fence token does. */
export function closePart(
  db: Connection,
  part: closed.PairPart,
  mark: Parameters<typeof closed.closeDatabase>[2],
  token: number,
): void {
  sessionOf(db, token).commitOnce(part, () => closed.closeDatabase(db, part, mark));
}

/** Opens it again, likewise. */
export function openPart(db: Connection, part: closed.PairPart, token: number): void {
  sessionOf(db, token).commitOnce(part, () => closed.reopenDatabase(db, part));
}
