import { existsSync } from "node:fs";
import { JobsError } from "../../shared/errors.ts";
import { hasContent } from "../../shared/sqlite/journal.ts";
import { hasGuards, lostCompleted } from "../../shared/sqlite/lost-completed.ts";
import type { Files } from "./databases.ts";
import { openQuietly } from "./open-quietly.ts";

/**
 * Refuses to replace a lost completed-runs.db: a backup restored later would meet other runs there. Call inside
 * `session.read`.
 *
 * @throws JobsError `conflict`
 */
export function assertCompletedKept({ area, completed }: Files): void {
  if (hasContent(completed)) return;
  const db = openQuietly({ area });
  try {
    if (!hasGuards(db, "area")) return;
  } finally {
    db.close();
  }
  const isThere = existsSync(completed);
  // Checked again: another job may have created it, and then the guards.
  if (hasContent(completed)) return;
  throw new JobsError("conflict", lostCompleted.text(completed, isThere), {
    hint: lostCompleted.remedy,
    details: { file: completed },
  });
}
