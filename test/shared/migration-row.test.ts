import { describe, expect, it } from "vitest";
import type {
  CheckReport,
  FailedMigration,
  MigrateCheck,
  MigrateOutcome,
} from "../../shared/contract/migrate-result.ts";
import {
  type FileDigest,
  type MigrationRow,
  type MigrationState,
  migrationRowSchema,
  migrationStates,
  nextStates,
} from "../../shared/contract/migration-row.ts";
import { type MigrateCheckName, migrateCheckNames } from "../../shared/contract/names.ts";

const digest: FileDigest = { sha256: "ab", rows: { runs: 2 }, bytes: 4096 };
const stored = {
  token: 12,
  job_id: "migrate-1",
  requested_by: "ann@hostA",
  kind: "migration",
  state: "closed",
  begun_at: 1,
  changed_at: 2,
  from_home: "10.0.0.1",
  to_home: "10.0.0.2",
  from_host: "hostA",
  to_host: "hostB",
  switch_token: null,
  source: "cache",
  digests: JSON.stringify({ cache: digest }),
  old_ready: 0,
  new_ready: 0,
  reason: null,
};

function reachable(from: MigrationState, seen = new Set<MigrationState>()): Set<MigrationState> {
  for (const next of nextStates[from]) {
    if (seen.has(next)) continue;
    seen.add(next);
    reachable(next, seen);
  }
  return seen;
}

describe("the states of a migration", () => {
  it("lead from every one but the last to an end, and never back over the commit point", () => {
    const ends = migrationStates.filter((state) => nextStates[state].length === 0);
    expect(ends).toEqual(["settled", "undone"]);
    for (const state of migrationStates.filter((each) => !ends.includes(each))) {
      expect(ends.some((end) => reachable(state).has(end))).toBe(true);
    }
    expect([...reachable("switched")]).toEqual(["settled"]);
    expect([...reachable("undoing")]).toEqual(["undone"]);
  });

  it("can be undone from every one before the switch", () => {
    const before: MigrationState[] = ["closing", "closed", "installed", "intent"];
    expect(migrationStates.filter((state) => nextStates[state].includes("undoing"))).toEqual(before);
  });
});

describe("a migration's row", () => {
  it("is read with its digests, or without any yet", () => {
    const row: MigrationRow = migrationRowSchema.parse(stored);
    expect(row.digests).toEqual({ cache: digest });
    expect(migrationRowSchema.parse({ ...stored, digests: null }).digests).toBeNull();
  });

  it("is refused where it is in no state that is known here", () => {
    expect(migrationRowSchema.safeParse({ ...stored, state: "flying" }).success).toBe(false);
  });
});

describe("the result of a migration", () => {
  it("names each check once", () => {
    const names: MigrateCheckName[] = [...migrateCheckNames];
    expect(new Set(names).size).toBe(names.length);
  });

  it("keeps what refused it beside what it is, as JSON", () => {
    const check: MigrateCheck = { name: "tests", ok: false, detail: "test 7 runs" };
    const report: CheckReport = { checks: [check], earliestAt: 5 };
    const outcome: MigrateOutcome = "refused";
    const failed: FailedMigration = {
      jobId: "migrate-1",
      job: "migrate",
      kind: "migration",
      area: "/areas/a1",
      areaId: null,
      from: "10.0.0.1",
      to: "10.0.0.2",
      fromHost: "hostA",
      toHost: "hostB",
      state: "failed",
      dryRun: false,
      outcome,
      token: null,
      source: null,
      bytes: {},
      checks: report.checks,
      strays: { merged: 0, kept: 0 },
      warnings: [],
      elapsedMs: 1,
      error: { code: "not-quiescent", message: "test 7 runs" },
    };
    expect(JSON.parse(JSON.stringify(failed))).toEqual(failed);
  });
});
