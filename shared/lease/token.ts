import { JobsError } from "../errors.ts";
import { type Connection, fileOf, type Part } from "../sqlite/connection.ts";

const aboveAll = 1_000_000_000;

/**
 * Checks that the fence token of `part` has a successor: otherwise an overtaken holder could commit.
 *
 * @throws JobsError `corrupt`, naming the file
 */
export function assertTokenCanRise(db: Connection, part: Part, token: unknown): void {
  if (Number.isSafeInteger(token) && token !== Number.MAX_SAFE_INTEGER) return;
  const file = fileOf(db, part);
  const text = db
    .prepare<[], string>(`SELECT CAST(token AS TEXT) FROM ${part}.mtjobs_fence WHERE id = 1`)
    .pluck()
    .get();
  throw new JobsError(
    "corrupt",
    `the token ${text} in table mtjobs_fence of ${file} has no valid successor`,
    {
      hint: `while no worker and no job uses the area, run: sqlite3 ${file} 'UPDATE mtjobs_fence SET token = ${aboveAll}'`,
      details: { file, token: String(text) },
    },
  );
}
