// Mostly waits: run beside others.
import { describe, expect, it, vi } from "vitest";
import { migrateFailpoints } from "../../workers/area-db/failpoint-names.ts";
import { isCampaign, record } from "../support/area.ts";
import { type FaultName, failpointCases, faults, outlive } from "../support/hosts.ts";
import { canStartServer, mayMount } from "../support/queue.ts";

type Step = (typeof migrateFailpoints)[number];

const names = Object.keys(faults) as FaultName[];

/** Kills and pauses of the old home are tested on their own: see migrate-workers.test.ts. */
const few: { step: Step; fault: FaultName }[] = [
  { step: "intent-committed", fault: "the new home's worker paused beyond every lock" },
  { step: "migration-gathered", fault: "the area's disk full" },
];

const cells = isCampaign ? migrateFailpoints.flatMap((step) => names.map((fault) => ({ step, fault }))) : few;

// A fault lasts up to 12 s, and then the area has a minute to come to rest.
vi.setConfig({ testTimeout: 360_000, maxConcurrency: 3 });

describe("the table of faults", () => {
  it("has a row for each step of a migration", () => {
    expect(Object.keys(failpointCases)).toEqual([...migrateFailpoints]);
  });
});

// Reason to skip: file systems that fill up and turn read-only need mounts, which root alone may make.
describe.runIf(mayMount() && canStartServer).concurrent("a migration at a step, and a fault", () => {
  it.each(cells)(
    "at $step it outlives $fault, with one home and every row, and moves again",
    async ({ step, fault }) => {
      let restMs: number | null = null;
      try {
        restMs = await outlive(step, fault);
        if (isCampaign) console.log(`${step}, ${fault}: at rest after ${restMs} ms`);
      } finally {
        record("recovery", { fault, step, restMs });
      }
    },
  );
});
