import { isMigrateResult, type JobResult } from "../../shared/job-result.ts";
import { migrateText } from "./migrate-text.ts";
import { resultText } from "./result-text.ts";

export function jobResultText(result: JobResult): string {
  return isMigrateResult(result) ? migrateText(result) : resultText(result);
}
