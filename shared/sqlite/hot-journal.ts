import { closeSync, openSync, readSync, statSync } from "node:fs";

/**
 * True where a writer is at work on the database, or died and left its journal: the header is written then. SQLite
 * zeroes or removes the journal when it is done. Reading through one that was left would roll it back.
 */
export function hasHotJournal(database: string): boolean {
  const path = `${database}-journal`;
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  const fd = openSync(path, "r");
  try {
    const first = Buffer.alloc(1);
    return readSync(fd, first, 0, 1, 0) === 1 && first[0] !== 0;
  } finally {
    closeSync(fd);
  }
}
