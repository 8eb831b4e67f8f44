import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { JobsError } from "../../shared/errors.ts";
import type { JobContext } from "../../shared/job-context.ts";
import type { JobStep } from "../../shared/job-steps.ts";
import { cacheDirectoryOf } from "../../shared/sample-area/area-files.ts";
import { buildArea, type SampleArea, type SampleAreaOptions } from "../../shared/sample-area/build-area.ts";
import { resolveSettings } from "../../shared/settings.ts";
import { close } from "../../workers/migrate/close.ts";
import { oversee } from "../../workers/migrate/oversee.ts";
import { switchOver } from "../../workers/migrate/switch.ts";
import { beginTakeOver } from "../../workers/migrate/take-over.ts";
import { type TendReport, tend } from "../../workers/migrate/tend.ts";

/** Two hosts on one machine, without queue or workers: what their jobs' threads would do is called one after the other. */
export const addresses = { old: "10.9.0.1", new: "10.9.0.2" } as const;
export type Side = keyof typeof addresses;

export interface Place {
  area: string;
  /** Directory below which each side has a cache root of its own. */
  root: string;
}

export interface RunOptions extends Place {
  jobId: string;
  failpoint?: (step: JobStep) => void;
  /** What happens between the parts of the two hosts. */
  between?: (before: "switch" | "watch") => void;
}

export const cacheRootOf = ({ root }: Pick<Place, "root">, side: Side) => join(root, `tmp-${side}`);

/** An area at home on the old host, quiet for a day. */
export function buildForTwo(
  root: string,
  options: Partial<SampleAreaOptions> = {},
): { area: SampleArea; place: Place } {
  const area = buildArea({
    directory: join(root, "areas", "a1"),
    cacheRoot: cacheRootOf({ root }, "old"),
    user: "ann",
    host: addresses.old,
    runs: 3,
    testsPerRun: 3,
    inFlight: 0,
    now: Math.floor(Date.now() / 1000) - 86_400,
    ...options,
  });
  return { area, place: { area: area.directory, root } };
}

/** The area as it is where `side` is its home. */
export function seenFromSide(area: SampleArea, root: string, side: Side): SampleArea {
  const cacheRoot = cacheRootOf({ root }, side);
  const cacheDirectory = cacheDirectoryOf({ ...area, cacheRoot });
  const pair = {
    cacheDb: join(cacheDirectory, "megatest.db"),
    refDb: join(cacheDirectory, "megatest_ref.db"),
  };
  return { ...area, ...pair, cacheRoot, cacheDirectory, host: addresses[side] };
}

export function contextOn(side: Side, { root, jobId, failpoint = () => {} }: RunOptions): JobContext {
  return {
    jobId,
    settings: resolveSettings({
      flags: {
        host: `host-${side}`,
        address: addresses[side],
        user: "ann",
        cacheRoot: cacheRootOf({ root }, side),
      },
    }),
    env: {},
    settleMs: 0,
    signal: new AbortController().signal,
    log: () => {},
    progress: () => {},
    failpoint,
  };
}

/** From the close to the end, as the two hosts' workers do it; may be called again after it died anywhere. */
export async function migrateByHand(o: RunOptions): Promise<void> {
  // As the coordinating job does: what the old home has done is in the row.
  if (!readFileSync(join(o.area, ".homehost"), "utf8").startsWith(addresses.new)) await closeByHand(o);
  o.between?.("switch");
  await switchByHand(o);
  o.between?.("watch");
  await tendBoth(o);
  await oversee({ area: o.area, migration: o.jobId }, contextOn("new", o));
}

/** Leaves a migration as it stands after a step, as a worker does that has lost its lock, or a machine its power. */
export async function leaveAt(step: JobStep, place: Place): Promise<void> {
  let isLeft = false;
  const failpoint = (name: JobStep) => {
    if (step === "old-opened" && name === "migration-gathered") throw new Error("so that it is undone");
    if (name !== step) return;
    isLeft = true;
    throw new JobsError("lost-lease", `left at ${step}`);
  };
  await assert.rejects(migrateByHand({ ...place, jobId: "migrate-1", failpoint }));
  assert.ok(isLeft, `the migration did not come to ${step}`);
}

export async function closeByHand(o: RunOptions): Promise<void> {
  const homes = { toHost: "host-new", toHome: addresses.new, fromHome: addresses.old };
  const payload = { v: 1, area: o.area, requestedBy: "ann@host-old", step: "close" } as const;
  await close(
    { ...payload, migration: o.jobId, quietFor: 0, lockValue: "none", ...homes },
    contextOn("old", o),
  );
}

/** A side takes over from the other one, which is gone. */
export async function takeOverByHand(o: RunOptions, side: Side = "new"): Promise<void> {
  const other = side === "new" ? "old" : "new";
  const homes = { fromHome: addresses[other], fromHost: `host-${other}`, toHome: addresses[side] };
  const payload = { area: o.area, migration: o.jobId, requestedBy: `ann@host-${side}`, ...homes };
  await beginTakeOver(payload, contextOn(side, o));
  await switchByHand(o, side);
}

export async function switchByHand(o: RunOptions, side: Side = "new"): Promise<void> {
  await switchOver({ area: o.area, migration: o.jobId }, contextOn(side, o));
}

/** What the rounds of the two hosts would do, until nothing is left or something is waited for. */
export async function tendBoth(o: RunOptions): Promise<TendReport["did"]> {
  const did: TendReport["did"] = [];
  for (let round = 0; round < 6; round++) {
    for (const side of ["old", "new"] as const) {
      const payload = { v: 1, area: o.area, requestedBy: "rounds", step: "tend" } as const;
      did.push(...(await tend(payload, contextOn(side, o))).did);
    }
  }
  return did;
}
