import { nameDatabase } from "../../../shared/area-db/name-database.ts";
import type { CheckReport, MigrateCheck } from "../../../shared/contract/migrate-result.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import type { MigrateCheckName } from "../../../shared/contract/names.ts";
import type { ErrorCode } from "../../../shared/error-codes.ts";
import { JobsError } from "../../../shared/errors.ts";
import { filesAtHand } from "../../../shared/sqlite/connection.ts";

/** Checks not listed come after the commit point. */
export const refusalCodes: Partial<Record<MigrateCheckName, ErrorCode>> = {
  pinned: "pinned",
  from: "conflict",
  target: "unfit-host",
  versions: "unfit-host",
  schema: "unfit-host",
  "last-migration": "too-soon",
  tests: "not-quiescent",
  activity: "not-quiescent",
  servers: "not-quiescent",
  "open-files": "not-quiescent",
  caches: "several-caches",
  "space-area": "conflict",
  "space-target": "unfit-host",
  "signs-of-life": "still-alive",
};

const hints: Partial<Record<ErrorCode, string>> = {
  pinned: "take [server] homehost out of megatest.config first",
  conflict: "resolve the conflict or wait until it is over, then try again",
  "unfit-host": "repair what the failed checks name on that host, or choose another one (--to)",
  "too-soon": "wait, or pass --now",
  "not-quiescent": "wait, or pass --when-quiet; --stop-servers ends Megatest's servers",
  "several-caches":
    "end the processes that have the other caches open, let Megatest sync them, and wait a day after their last change; or remove those that are synced and no longer used",
  "still-alive": "the old home may still be running: shut it down first",
};

/** Combines all failed checks, with the first one's code; undefined if none failed. */
export function refusal({ checks, earliestAt }: CheckReport): JobsError | undefined {
  const against = checks.filter(({ ok }) => ok === false);
  const [first] = against;
  if (first === undefined) return undefined;
  // It cannot be waited for, or overruled by --now.
  const code = first.facts?.open === true ? "conflict" : (refusalCodes[first.name] ?? "conflict");
  return new JobsError(code, against.map(({ detail }) => detail).join("; "), {
    hint: hints[code],
    details: {
      checks: against.map(({ name }) => name),
      earliestAt: earliestAt === undefined ? undefined : new Date(earliestAt).toISOString(),
    },
  });
}

export function onlyTimeIsLacking({ checks, earliestAt }: CheckReport): boolean {
  const against = checks.filter(({ ok }) => ok === false);
  return earliestAt !== undefined && against.every(({ name }) => refusalCodes[name] === "not-quiescent");
}

export function undoneError({ reason, token }: Pick<MigrationRow, "reason" | "token">): JobsError {
  return new JobsError("rolled-back", `the migration was undone: ${reason ?? "no worker continued it"}`, {
    hint: "nothing was moved and the old home is unchanged; try again once the cause is resolved",
    details: { token },
  });
}

/** Builds an error after the commit point that says so: the cause alone would read as if nothing had moved. */
export function movedError(home: string, thrown: unknown): unknown {
  const error = nameDatabase(thrown, filesAtHand());
  if (["stopped", "lost-lease", "locked"].includes(error.code)) return thrown;
  const message = `the homehost has moved to ${home}, but the migration has not ended: ${error.message}`;
  const { hint, details } = error;
  return new JobsError(error.code, message, { cause: thrown, hint, details });
}

export function cancelledError(): JobsError {
  return new JobsError("cancelled", "the migration was cancelled", { hint: "the old home is unchanged" });
}

export function passed(name: MigrateCheckName, detail: string): MigrateCheck {
  return { name, ok: true, detail };
}

export function failed(name: MigrateCheckName, detail: string): MigrateCheck {
  return { name, ok: false, detail };
}
