import { JobsError } from "../../shared/errors.ts";
import type { JobView } from "../contract/job.ts";
import { failedMigration, isMigrateResult } from "../jobs/job-view.ts";
import { jobResultText } from "./move-result.ts";

/** Returns the result of an ended job in words; undefined if it has none, or another tool's. */
export function reportedResultText({ error, result: given }: JobView): string | undefined {
  const result = error === undefined ? given : failedMigration(JobsError.fromDocument(error))?.result;
  return isMigrateResult(result) || result?.moved !== undefined ? jobResultText(result) : undefined;
}
