import { quoteText } from "./sqlite/connection.ts";

/**
 * Megatest removes the directory that `tests.rundir` names with the run. A run that comes back under another name must not
 * name the directories of the run that has its old name now, so its tests get the old value behind this mark: a relative
 * path that exists nowhere, in one word, since Megatest hands paths to a shell.
 */
export const formerDirectoryMark = "n/a-mtjobs-was:";

/** The columns of `tests` that name a test's directory. */
export const directoryColumns = ["rundir", "shortdir"] as const;

/** What Megatest writes where a test has no directory. */
const noDirectory = ["", "n/a", "/tmp/badname"];

/** SQL: true where the column names a directory. */
export function namesDirectory(column: string): string {
  const mark = quoteText(formerDirectoryMark);
  return `(typeof(${column}) = 'text' AND ${column} NOT IN (${noDirectory.map(quoteText).join(", ")})
    AND substr(${column}, 1, ${formerDirectoryMark.length}) <> ${mark})`;
}

/** The directory that a test had under the name its run had before; undefined where the value is not such a one. */
export function formerDirectory(value: unknown): string | undefined {
  return typeof value === "string" && value.startsWith(formerDirectoryMark)
    ? value.slice(formerDirectoryMark.length)
    : undefined;
}
