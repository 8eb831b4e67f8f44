import type { Job } from "bullmq";
import type { MigratePayload } from "../../../shared/contract/migrate-payload.ts";
import type { MigrateOutcome, MigrateResult } from "../../../shared/contract/migrate-result.ts";
import { JobsError } from "../../../shared/errors.ts";
import { startServer } from "../../migrate/checks/old-clients.ts";
import type { TargetReport } from "../../migrate/steps/check-target.ts";
import type { Settled } from "../../migrate/steps/finish.ts";
import type { CoordinatorState } from "./coordinator-state.ts";

export interface MigrationSubject {
  job: Job;
  payload: MigratePayload;
  target: TargetReport;
  at: CoordinatorState;
  /** Name of this host. */
  host: string;
}

/** Builds the result of a successful migration. */
export function completed(
  subject: MigrationSubject,
  outcome: MigrateOutcome,
  { strays, warnings }: Settled = { strays: { merged: 0, kept: 0 }, warnings: [] },
): MigrateResult {
  const ended = outcome === "migrated" && !subject.payload.dryRun ? serverWarnings(subject) : [];
  return { ...describe(subject), state: "completed", outcome, strays, warnings: [...ended, ...warnings] };
}

/**
 * Clients on other hosts wait until a server runs on the new home; none starts automatically, because they ask the
 * old home.
 */
function serverWarnings({ at, host, payload }: MigrationSubject): string[] {
  if (at.stopped.length === 0) return [];
  const names = at.stopped.map(({ host: old, pid }) => `${pid} on ${old}`).join(", ");
  return [
    `--stop-servers ended Megatest server processes (${names}): clients on other hosts that were started before wait until a server runs on the new home; ${startServer(host, payload.area)}`,
  ];
}

/** Builds the error of a failed migration, with its result in `details.result`. */
export function failedAs(subject: MigrationSubject, error: JobsError): JobsError {
  const outcome = subject.target.own === undefined ? "refused" : "rolled-back";
  const result: MigrateResult = { ...describe(subject), state: "failed", outcome, reason: error.message };
  return new JobsError(error.code, error.message, {
    hint: error.hint,
    details: { ...error.details, result },
  });
}

function describe({ job, payload, target, at, host }: MigrationSubject) {
  const { own } = target;
  return {
    jobId: job.id ?? "",
    job: "migrate",
    kind: payload.takeover ? "takeover" : "migration",
    area: payload.area,
    areaId: target.areaId,
    from: own?.from_home ?? target.fromHome,
    to: own?.to_home ?? target.toHome,
    fromHost: own?.from_host ?? at.fromHost ?? null,
    toHost: host,
    dryRun: payload.dryRun,
    token: own?.token ?? null,
    source: own?.source ?? null,
    bytes: at.bytes,
    checks: at.checks,
    strays: { merged: 0, kept: 0 },
    lastSyncAt: at.syncedAt === undefined ? undefined : new Date(at.syncedAt).toISOString(),
    warnings: [],
    elapsedMs: Date.now() - job.timestamp,
  } as const satisfies Omit<MigrateResult, "state" | "outcome" | "warnings"> & { warnings: [] };
}
