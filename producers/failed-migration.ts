import { JobsError } from "../shared/errors.ts";
import { isMigrateResult } from "../shared/job-result.ts";
import type { MigrateResult } from "../shared/migrate-result.ts";

/**
 * Splits the error of a refused or rolled-back migration into its result document, which the error's details carry,
 * and the plain error. Returns undefined for any other failure.
 */
export function failedMigration(error: JobsError): { result: MigrateResult; error: JobsError } | undefined {
  const { result, ...details } = error.details ?? {};
  if (!isMigrateResult(result)) return undefined;
  const bare = new JobsError(error.code, error.message, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(Object.keys(details).length === 0 ? {} : { details }),
    cause: error,
  });
  return { result, error: bare };
}
