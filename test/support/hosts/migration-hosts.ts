import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectoryOf } from "../../../producers/demo/sample-area/area-files.ts";
import {
  buildArea,
  type SampleArea,
  type SampleAreaOptions,
} from "../../../producers/demo/sample-area/build-area.ts";
import { JobsError } from "../../../shared/errors.ts";
import { resolveSettings } from "../../../shared/settings/settings.ts";
import type { FailpointName } from "../../../workers/area-db/failpoint-names.ts";
import type { JobContext } from "../../../workers/area-db/job-context.ts";
import type { ReconcileReport } from "../../../workers/migrate/steps/reconcile.ts";

/**
 * Two hosts on one machine, without queue or workers: the steps of their jobs' threads are called in turn. Each is
 * loaded when it is called, as most tests of migrations call none.
 */
export const addresses = { old: "10.9.0.1", new: "10.9.0.2" } as const;
export type Side = keyof typeof addresses;

export interface Place {
  area: string;
  /** Directory with a cache root for each side. */
  root: string;
}

export interface RunOptions extends Place {
  jobId: string;
  failpoint?: (step: FailpointName) => void;
  /** Called between the steps of the two hosts. */
  between?: (before: "switch" | "watch") => void;
}

export const cacheRootOf = ({ root }: Pick<Place, "root">, side: Side) => join(root, `tmp-${side}`);

/** Builds an area at home on the old host, quiet for a day. */
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

/** Returns the area as seen when `side` is its home. */
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

/** Migrates from the close to the end, as the two hosts' workers do; may be repeated after it died anywhere. */
export async function migrateByHand(o: RunOptions): Promise<void> {
  const { awaitWatch } = await import("../../../workers/migrate/steps/finish.ts");
  // Like the coordinating job: the row says what the old home has done.
  if (!readFileSync(join(o.area, ".homehost"), "utf8").startsWith(addresses.new)) await closeByHand(o);
  o.between?.("switch");
  await switchByHand(o);
  o.between?.("watch");
  await reconcileBoth(o);
  await awaitWatch({ area: o.area, migration: o.jobId }, contextOn("new", o));
}

/** Leaves a migration after a step, as a worker does that has lost its lock, or after a power failure. */
export async function leaveAt(step: FailpointName, place: Place): Promise<void> {
  let isLeft = false;
  const failpoint = (name: FailpointName) => {
    if (step === "old-opened" && name === "migration-gathered") throw new Error("force an undo");
    if (name !== step) return;
    isLeft = true;
    throw new JobsError("lost-lease", `left at ${step}`);
  };
  await assert.rejects(migrateByHand({ ...place, jobId: "migrate-1", failpoint }));
  assert.ok(isLeft, `the migration did not reach ${step}`);
}

export async function closeByHand(o: RunOptions): Promise<void> {
  const { close } = await import("../../../workers/migrate/steps/close.ts");
  const homes = { toHost: "host-new", toHome: addresses.new, fromHome: addresses.old };
  const payload = { v: 1, area: o.area, requestedBy: "ann@host-old", step: "close" } as const;
  await close(
    { ...payload, migration: o.jobId, quietFor: 0, lockValue: "none", ...homes },
    contextOn("old", o),
  );
}

/** Makes a side take over from the other one, which is gone. */
export async function takeOverByHand(o: RunOptions, side: Side = "new"): Promise<void> {
  const { beginTakeOver } = await import("../../../workers/migrate/steps/take-over.ts");
  const other = side === "new" ? "old" : "new";
  const homes = { fromHome: addresses[other], fromHost: `host-${other}`, toHome: addresses[side] };
  const payload = { area: o.area, migration: o.jobId, requestedBy: `ann@host-${side}`, ...homes };
  await beginTakeOver(payload, contextOn(side, o));
  await switchByHand(o, side);
}

export async function switchByHand(o: RunOptions, side: Side = "new"): Promise<void> {
  const { switchOver } = await import("../../../workers/migrate/steps/switch.ts");
  await switchOver({ area: o.area, migration: o.jobId }, contextOn(side, o));
}

/** Runs the reconcile steps of both hosts until nothing is left or something is awaited. */
export async function reconcileBoth(o: RunOptions): Promise<ReconcileReport["did"]> {
  const { reconcile } = await import("../../../workers/migrate/steps/reconcile.ts");
  const did: ReconcileReport["did"] = [];
  for (let round = 0; round < 6; round++) {
    for (const side of ["old", "new"] as const) {
      const payload = { v: 1, area: o.area, requestedBy: "rounds", step: "tend" } as const;
      did.push(...(await reconcile(payload, contextOn(side, o))).did);
    }
  }
  return did;
}
