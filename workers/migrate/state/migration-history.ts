import type { HistoryLine } from "../../../shared/contract/area-facts.ts";
import type { MigrateOutcome } from "../../../shared/contract/migrate-result.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";

function line(row: MigrationRow, outcome: MigrateOutcome): HistoryLine {
  return {
    jobId: row.job_id,
    at: new Date().toISOString(),
    requestedBy: row.requested_by,
    job: "migrate",
    kind: row.kind,
    state: outcome === "migrated" ? "completed" : "failed",
    outcome,
    from: row.from_home,
    to: row.to_home,
    fromHost: row.from_host,
    toHost: row.to_host,
    token: row.token,
    source: row.source,
    elapsedMs: Date.now() - row.begun_at,
  };
}

/** Builds a history line. A take-over gets a second one when the lost home is back. */
export function settledLine(
  row: MigrationRow,
  counts: MergeCounts,
  warnings: readonly string[] = [],
): HistoryLine {
  const isBack = row.kind === "takeover" && row.state === "settled";
  return {
    ...line(row, "migrated"),
    ...(isBack ? { jobId: `${row.job_id}.back` } : {}),
    strays: counts,
    ...warningsOf(warnings),
  };
}

const mostWarnings = 20;

function warningsOf(warnings: readonly string[]): Partial<HistoryLine> {
  if (warnings.length === 0) return {};
  const more = warnings.length - mostWarnings;
  return { warnings: warnings.slice(0, mostWarnings), ...(more > 0 ? { moreWarnings: more } : {}) };
}

/** Includes the reason, and rows merged from divergent caches. */
export function undoneLine(row: MigrationRow, mergedCaches?: MergedCaches): HistoryLine {
  const message = row.reason ?? "undone";
  return {
    ...line(row, "rolled-back"),
    reason: message,
    error: { code: "rolled-back", message },
    strays: mergedCaches && { merged: mergedCaches.merged, kept: mergedCaches.kept },
    ...warningsOf(mergedCaches?.warnings ?? []),
  };
}

export interface MergeCounts {
  merged: number;
  kept: number;
}

export interface MergedCaches extends MergeCounts {
  /** Sentences on what was not merged. */
  warnings: readonly string[];
  /** Numbers of the divergent caches that are merged completely. */
  done: readonly number[];
}
