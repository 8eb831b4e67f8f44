import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import type { Random } from "../../producers/demo/sample-area/random.ts";
import { parsePayload } from "../../shared/contract/payload.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import type { JobContext } from "../../workers/area-db/job-context.ts";
import { runJob } from "../../workers/job-thread/job-table.ts";
import { reconcile } from "../../workers/migrate/steps/reconcile.ts";
import { switchOver } from "../../workers/migrate/steps/switch.ts";
import type { Union } from "../support/area.ts";
import { assertOneHome, Hosts, homeHostOf, migrationRow, onHosts } from "../support/hosts.ts";
import type { Reached } from "./cut.ts";
import {
  type Cut,
  everything,
  moments,
  nothing,
  oldNames,
  type Recording,
  record,
  someOf,
  traceProgram,
  traceRunning,
} from "./recording.ts";
import type { Scenario, StageOptions } from "./scenarios.ts";

const both = ["host-a", "host-b"] as const;
type Host = (typeof both)[number];

/** How a migration ends that is recorded: at the other host, or undone as its new home could not be made. */
const failures = ["", "", "pair-copied=error", "home-written=error"] as const;

/** Two hosts' workers, each with a cache on a disk of its own, and a disk for the area. */
async function recordMigration({
  random,
}: StageOptions): Promise<{ area: SampleArea; recording: Recording }> {
  let stage: { area: SampleArea; recording: Recording } | undefined;
  await onHosts(async (hosts) => {
    const area = hosts.area({
      runs: 2 + random.below(3),
      testsPerRun: 2 + random.below(3),
      seed: 1 + random.below(1000),
      cacheWal: random.below(3) === 0,
    });
    for (const host of both) mkdirSync(hosts.cacheRoot(host), { recursive: true });
    const back = random.below(3) === 0;
    const failure = random.pick(failures);
    const divergent = failure === "" && random.below(2) === 0;
    if (back) await moveOnce(hosts, area);
    const [from, to]: Host[] = back ? ["host-b", "host-a"] : ["host-a", "host-b"];
    const recording = await recordMove(hosts, area, { to: to as Host, failure, divergent });
    stage = { area: hosts.seenFrom(area, from as Host), recording };
  });
  return stage as NonNullable<typeof stage>;
}

/** There, so that a closed pair stands where the next one comes to. */
async function moveOnce(hosts: Hosts, area: SampleArea): Promise<void> {
  const workers = await Promise.all(both.map((host) => hosts.start(host)));
  await hosts.migrated("host-b", await hosts.migrate(area, "host-b"));
  for (const { child } of workers) child.kill("SIGKILL");
  await Promise.all(workers.map(({ exited }) => exited));
}

async function recordMove(
  hosts: Hosts,
  area: SampleArea,
  { to, failure, divergent }: { to: Host; failure: string; divergent: boolean },
): Promise<Recording> {
  // Long enough to write to the old cache once the home has moved.
  const env = { MTJOBS_TEST_TIMES: JSON.stringify({ settleMs: divergent ? 4000 : 300, roundMs: 3000 }) };
  const workers = await Promise.all(
    both.map(async (host) => [host, await hosts.start(host, host === to ? failure : "", env)] as const),
  );
  const roots = [join(hosts.stage.root, "areas"), ...both.map((host) => hosts.cacheRoot(host))];
  return await record(roots, async (traces) => {
    const tracers = await Promise.all(
      workers.map(([host, { child }]) => traceRunning(join(traces, host), child.pid ?? 0)),
    );
    const ended = tracers.map((tracer) => once(tracer, "close"));
    try {
      const id = await hosts.migrate(area, to);
      if (divergent) await writeToOld(hosts, area, to, join(traces, "writer"));
      if (failure === "") await hosts.migrated(to, id);
      else await hosts.settled(area, "undone");
    } finally {
      for (const [, { child }] of workers) child.kill("SIGKILL");
      await Promise.all(ended);
    }
    return divergent ? [...both, "writer"] : both;
  });
}

/** A process that did not notice writes to the closed pair of the old home, and that is seen there. */
async function writeToOld(hosts: Hosts, area: SampleArea, to: Host, trace: string): Promise<void> {
  await hosts.settled(area, "switched");
  const writer = new URL("../support/area/write-against.ts", import.meta.url).href;
  const { cacheDb } = hosts.pairOn(area, to === "host-b" ? "host-a" : "host-b");
  const code = "import(process.argv[1]).then(({ writeAgainst }) => writeAgainst(process.argv[2]))";
  await traceProgram(trace, ["-e", code, writer, cacheDb], {});
}

/** True where what that process wrote is in a cache; false where it cannot be told without changing the file. */
function hasDivergent(cacheDb: string): boolean {
  try {
    const db = new Database(cacheDb, { readonly: true });
    try {
      return db.prepare("SELECT 1 FROM tests WHERE testname = 'unnoticed'").get() !== undefined;
    } finally {
      db.close();
    }
  } catch {
    return false;
  }
}

/** What a job on a host is given; the host's worker is a process of its own in earnest. */
function contextOn(host: Host, area: SampleArea, jobId: string): JobContext {
  const at = seenFrom(area, host);
  return {
    jobId,
    settings: resolveSettings({
      flags: { host, address: at.host, user: area.user, cacheRoot: at.cacheRoot },
    }),
    env: {},
    settleMs: 0,
    signal: new AbortController().signal,
    log: () => {},
    progress: () => {},
    failpoint: () => {},
  };
}

/** As `Hosts` has it, which is gone by now. */
function seenFrom(area: SampleArea, host: Host): SampleArea {
  const root = join(area.directory, "..", "..");
  return Hosts.prototype.seenFrom.call(new Hosts({ root } as never), area, host);
}

/** Time passes, or has not: the lease that is held ends at `expiresAt`. No time of a file changes. */
function setLease(area: SampleArea, expiresAt: number): void {
  const { atimeMs, mtimeMs } = statSync(area.megatestDb);
  const db = new Database(area.megatestDb);
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'mtjobs_fence'").get() !== undefined)
    db.prepare("UPDATE mtjobs_fence SET expires_at = ? WHERE holder IS NOT NULL").run(expiresAt);
  db.close();
  utimesSync(area.megatestDb, atimeMs / 1000, mtimeMs / 1000);
}

/** What the rounds of hosts do until nothing is left that they can do. */
async function reconcileAll(area: SampleArea, hosts: readonly Host[]): Promise<void> {
  setLease(area, 1);
  for (let round = 0; round < 6; round++) {
    for (const host of hosts) {
      const payload = { v: 1, area: area.directory, requestedBy: "rounds", step: "tend" } as const;
      await reconcile(payload, contextOn(host, area, "tend"));
    }
  }
}

/** The new home, still there or there again in time, goes on where it was. It may find that it is to be undone. */
async function goOn(area: SampleArea, host: Host): Promise<void> {
  const row = migrationRow(area);
  if (row === undefined || row.to_host !== host || row.state === "closing") return;
  setLease(area, Date.now() + 60_000);
  const migration = String(row.job_id);
  await switchOver({ area: area.directory, migration }, contextOn(host, area, migration)).catch(
    (error: unknown) => {
      // Undone, or not to be continued: the reconciler handles it. A fault of mtjobs is neither.
      if ([TypeError, RangeError, ReferenceError].some((kind) => error instanceof kind)) throw error;
    },
  );
}

/** If the power failed after the end, divergent caches stay: it is unknown whether some of their rows were kept. */
function forgetKept({ directory }: SampleArea): void {
  const migrations = join(directory, ".mtjobs", "migration");
  if (!existsSync(migrations)) return;
  for (const name of readdirSync(migrations)) {
    const files = readdirSync(join(migrations, name));
    if (files.length > 0 && files.every((file) => file.startsWith("stray-")))
      rmSync(join(migrations, name), { recursive: true });
  }
}

/**
 * Everybody is back: one home, whole.
 *
 * @param divergent what was written to the old home after everything had reached its disk
 */
async function comeToRest(area: SampleArea, before: Union, divergent: boolean): Promise<void> {
  await reconcileAll(area, both);
  const row = migrationRow(area);
  if (row !== undefined && row.state !== "settled" && row.state !== "undone")
    throw new Error(`the migration stays ${String(row.state)}: ${JSON.stringify(row)}`);
  const home = homeHostOf(area) as Host;
  const payload = parsePayload("reduce", { v: 1, area: area.directory, runId: [1_000_000] });
  await runJob("repair", payload, contextOn(home, area, "next"));
  const other = seenFrom(area, home === "host-a" ? "host-b" : "host-a");
  forgetKept(area);
  assertOneHome(seenFrom(area, home), other, before, { anyLastUpdate: true });
  if (divergent && !hasDivergent(seenFrom(area, home).cacheDb))
    throw new Error("the rows of a divergent cache were not merged");
}

/** All lose power in the same moment, and Redis with them. */
export const allAtOnce: Scenario = {
  record: recordMigration,
  recover: async ({ area, before, random }) => {
    const divergent = hasDivergent(area.cacheDb);
    if (random.below(3) === 0) for (const host of both) await goOn(area, host);
    await comeToRest(area, before, divergent);
  },
};

/** One host loses power; the file server of the area, and the other host, do not. */
export const oneAlone: Scenario = {
  record: recordMigration,
  cuts: cutsOfOne,
  recover: async ({ area, before, random, cut }) => {
    const lost = cut.losers?.[0]?.[0];
    const divergent = hasDivergent(area.cacheDb);
    const others = both.filter((host) => host !== lost);
    for (const host of others) if (random.below(2) === 0) await goOn(area, host);
    await reconcileAll(area, others);
    await comeToRest(area, before, divergent);
  },
};

/** Names are the server's, who has them; what the lost host wrote to the area and did not sync may be gone. */
function* cutsOfOne(recording: Recording, random: Random): Generator<Cut> {
  const decisive = moments(recording);
  for (;;) {
    const lost = random.below(2);
    const own = random.pick<Reached>([everything, nothing, oldNames, someOf]);
    const area = random.pick<Reached>([
      everything,
      { names: "all", data: "synced" },
      { names: "all", data: "some" },
    ]);
    const reached = [area, ...both.map((_, index) => (index === lost ? own : everything))];
    const upTo = decisive[random.below(decisive.length)] ?? 0;
    yield { upTo, reached, losers: [[both[lost] ?? ""], undefined, undefined], seed: random.below(2 ** 31) };
  }
}
