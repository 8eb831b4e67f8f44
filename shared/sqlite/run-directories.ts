import { type Connection, prepared } from "./connection.ts";
import { directoryColumns, namesDirectory } from "./former-directory.ts";
import { NameSet } from "./names.ts";
import { columnNames } from "./table.ts";

interface NamedRun {
  id: bigint;
  /** Key values joined by `/`. */
  target: string;
  runname: string;
}

/**
 * Returns the absolute directories that the tests of a run name, each up to target and name of the run, as Megatest
 * builds them: `/runs/ubuntu/nfs/none/w49` stands for all below it. One without these in its path stands for itself.
 *
 * @param part the database, as it is attached
 */
export function runDirectories(db: Connection, part: string, { id, target, runname }: NamedRun): string[] {
  const present = new NameSet(columnNames(db, part, "tests"));
  const found = new Set<string>();
  for (const column of directoryColumns.filter((name) => present.has(name))) {
    const named = prepared<[bigint], string>(
      db,
      `SELECT DISTINCT ${column} FROM ${part}.tests WHERE run_id = ? AND ${namesDirectory(column)} AND substr(${column}, 1, 1) = '/'`,
    ).pluck();
    for (const directory of named.iterate(id)) found.add(upTo(directory, `/${target}/${runname}`));
  }
  return [...found].sort();
}

function upTo(directory: string, end: string): string {
  const at = `${directory}/`.lastIndexOf(`${end}/`);
  return at < 0 ? directory : directory.slice(0, at + end.length);
}
