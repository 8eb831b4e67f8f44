import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { migrateFailpoints } from "../../workers/area-db/failpoint-names.ts";
import { temporaryDirectory } from "../support/area.ts";
import {
  addresses,
  assertOneHome,
  buildForTwo,
  homeOf,
  leaveClosedPair,
  letLeaseRunOut,
  migrateByHand,
  migrationRow,
  reconcileBoth,
  type Side,
  seenFromSide,
  unionAt,
} from "../support/hosts.ts";
import { builtProgram } from "../support/queue.ts";

interface Case {
  /** What it takes that the step is passed. */
  trouble?: "conflict" | "divergent" | "reused";
  /** Where the migration ends if no worker continues it in time. */
  late: "undone" | "settled";
}

const undone: Case = { late: "undone" };
const settled: Case = { late: "settled" };

const cases: Record<(typeof migrateFailpoints)[number], Case> = {
  "migration-begun": undone,
  "migration-gathered": undone,
  "old-cache-closed": undone,
  "old-ref-closed": undone,
  "snapshot-written": undone,
  "migration-closed": undone,
  "pair-copied": undone,
  "pair-replaced": { trouble: "reused", late: "undone" },
  "pair-installed": undone,
  "migration-installed": undone,
  "home-written": undone,
  "intent-committed": undone,
  "home-renamed": settled,
  "migration-switched": settled,
  "pair-opened": settled,
  "stray-copied": { trouble: "divergent", late: "settled" },
  "stray-merged": { trouble: "divergent", late: "settled" },
  "migration-settled": settled,
  "old-opened": { trouble: "conflict", late: "undone" },
  "new-cleaned": { trouble: "conflict", late: "undone" },
  "migration-undone": { trouble: "conflict", late: "undone" },
};

async function killAt(step: string, order: object): Promise<void> {
  const script = builtProgram("test/support/hosts/migrate-process");
  const child = spawn(process.execPath, [script, JSON.stringify(order)], {
    env: { PATH: process.env.PATH, MTJOBS_FAILPOINT: `${step}=kill` },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, "close");
  expect(child.signalCode, stderr).toBe("SIGKILL");
}

function assertSteady(area: SampleArea, root: string, home: Side, before: ReturnType<typeof unionAt>): void {
  expect(homeOf(area)).toBe(`${addresses[home]}\n`);
  const other = seenFromSide(area, root, home === "old" ? "new" : "old");
  assertOneHome(seenFromSide(area, root, home), other, before);
}

/** What the new home's cache knows. */
function testNames(root: string, area: SampleArea): unknown[] {
  const db = new Database(seenFromSide(area, root, "new").cacheDb);
  try {
    return db.prepare("SELECT testname FROM tests").pluck().all();
  } finally {
    db.close();
  }
}

describe("a migration whose worker is killed, and which no worker continues in time", () => {
  it.each(migrateFailpoints.map((step) => ({ step, ...cases[step] })))(
    "at $step is brought to one home by the two hosts' rounds, and moves when it is asked to again",
    async ({ step, trouble, late }) => {
      const { area, place } = buildForTwo(temporaryDirectory());
      if (trouble === "reused") leaveClosedPair(area, seenFromSide(area, place.root, "new"));
      const before = unionAt(area);
      await killAt(step, { ...place, jobId: "migrate-1", trouble, cacheDb: area.cacheDb });
      if (trouble === "conflict") writeFileSync(join(area.directory, ".homehost"), `${addresses.old}\n`);
      letLeaseRunOut(area);
      await reconcileBoth({ ...place, jobId: "migrate-1" });
      expect(migrationRow(area)).toMatchObject({ job_id: "migrate-1", state: late });
      assertSteady(area, place.root, late === "settled" ? "new" : "old", before);
      if (trouble === "divergent") expect(testNames(place.root, area)).toContain("unnoticed");
      if (late === "settled") return;
      await migrateByHand({ ...place, jobId: "migrate-2" });
      expect(migrationRow(area)).toMatchObject({ job_id: "migrate-2", state: "settled" });
      assertSteady(area, place.root, "new", before);
    },
  );
});

describe("a migration whose worker is killed, and is taken up again within its lease's life", () => {
  it.each([
    "old-cache-closed",
    "migration-closed",
    "pair-installed",
    "intent-committed",
    "home-renamed",
    "pair-opened",
  ] as const)("at %s goes on where it stood", async (step) => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const before = unionAt(area);
    await killAt(step, { ...place, jobId: "migrate-1", cacheDb: area.cacheDb });
    await migrateByHand({ ...place, jobId: "migrate-1" });
    expect(migrationRow(area)).toMatchObject({ job_id: "migrate-1", state: "settled" });
    assertSteady(area, place.root, "new", before);
  });
});
