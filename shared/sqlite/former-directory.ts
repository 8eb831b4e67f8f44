import { quoteText } from "./connection.ts";

/**
 * Prefix of a restored test's former directory. Megatest removes `tests.rundir` with the run, so a run restored under
 * another name must not name directories of the run that now has its old name. The result is a path that exists
 * nowhere, without blanks, since Megatest passes paths to a shell.
 */
export const formerDirectoryMark = "n/a-mtjobs-was:";

export const directoryColumns = ["rundir", "shortdir"] as const;

/** Megatest's values for no directory. */
const noDirectory = ["", "n/a", "/tmp/badname"];

export function namesDirectory(column: string): string {
  const mark = quoteText(formerDirectoryMark);
  return `(typeof(${column}) = 'text' AND ${column} NOT IN (${noDirectory.map(quoteText).join(", ")})
    AND substr(${column}, 1, ${formerDirectoryMark.length}) <> ${mark})`;
}

/** Returns undefined for a value without the prefix. */
export function formerDirectory(value: unknown): string | undefined {
  return typeof value === "string" && value.startsWith(formerDirectoryMark)
    ? value.slice(formerDirectoryMark.length)
    : undefined;
}
