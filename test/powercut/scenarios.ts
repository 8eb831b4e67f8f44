import { mkdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import {
  buildArea,
  type SampleArea,
  type SampleAreaOptions,
} from "../../producers/demo/sample-area/build-area.ts";
import type { Random } from "../../producers/demo/sample-area/random.ts";
import {
  assertNothingLost,
  completedColumn,
  exportsIn,
  openAsMegatest,
  type Union,
} from "../support/area.ts";
import { unionAt } from "../support/hosts.ts";
import { assertReleased, runImport, runPurge, runReduce, runRepair, runRestore } from "../support/queue.ts";
import { allAtOnce, oneAlone } from "./migration.ts";
import { type Cut, type Recording, record, traceProgram } from "./recording.ts";

export interface StageOptions {
  /** A directory of its own. */
  root: string;
  random: Random;
  /** The command, built right or wrong. */
  command: string;
}

/** A job that was recorded, ready to be cut short. */
export interface Stage {
  /** As it was seen from its home before. */
  area: SampleArea;
  recording: Recording;
}

/** Something that a power cut is to befall. */
export interface Scenario {
  /** Does it once, and records it. */
  record(options: StageOptions): Promise<Stage>;
  /** Where the power is lost; everywhere at once where it is left out. */
  cuts?(recording: Recording, random: Random): Iterable<Cut>;
  /** Reads what must be there at the end, from the area before the job; all of its records if it is left out. */
  before?(area: SampleArea): Promise<Union>;
  /** What is done once the machines have power again; rejects where something was lost since `before`. */
  recover(stage: { area: SampleArea; before: Union; random: Random; cut: Cut }): Promise<void>;
}

/** So much that a job takes two batches, the second of which is copied while the first is removed. */
const large = { runs: 6, testsPerRun: 250, stepsPerTest: 1, dataPerTest: 0 };

/** With rows of every table, some of which only the cache has; small, but for one in five. */
function sampleArea({ root, random }: StageOptions, options: Partial<SampleAreaOptions> = {}): SampleArea {
  const area = buildArea({
    directory: join(root, "areas", "a1"),
    cacheRoot: join(root, "cache"),
    user: "ann",
    host: "host-a",
    runs: 3 + random.below(3),
    testsPerRun: 3 + random.below(4),
    stepsPerTest: 2,
    dataPerTest: 1,
    seed: 1 + random.below(1000),
    cacheWal: random.below(3) === 0,
    ...(random.below(5) === 0 ? large : {}),
    ...options,
  });
  if (random.below(2) === 0) age(area);
  return area;
}

/**
 * As if no process had worked here for an hour. If a cut takes the cache's time back and not that of megatest.db, a
 * refill is due afterwards.
 */
function age(area: SampleArea): void {
  for (const file of [area.megatestDb, area.cacheDb, area.refDb]) {
    const then = statSync(file).mtimeMs / 1000 - 3600;
    utimesSync(file, then, then);
  }
}

/** Area, cache, and exports if there are any, have a file system each. */
async function recordJob(
  { root, command }: StageOptions,
  area: SampleArea,
  [name = "", ...flags]: readonly string[],
  disks: readonly string[] = ["areas", "cache"],
): Promise<Stage> {
  const roots = disks.map((disk) => join(root, disk));
  const recording = await record(roots, async (traces) => {
    const args = [command, name, ...flags, area.directory, "--inline", "--json"];
    await traceProgram(join(traces, "job"), args, {
      MTJOBS_HOST: area.host,
      MTJOBS_USER: area.user,
      MTJOBS_CACHE_ROOT: area.cacheRoot,
      MTJOBS_REDIS_URL: "redis://127.0.0.1:1",
    });
    return ["job"];
  });
  return { area, recording };
}

type Job = (area: SampleArea) => Promise<unknown>;

const recoverBy =
  (...jobs: readonly [Job, ...Job[]]): Scenario["recover"] =>
  async ({ area, before, random }) => {
    // Somebody of Megatest may be quicker than the next job.
    if (random.below(3) === 0) await openAsMegatest(area);
    await random.pick(jobs)(area);
    assertNothingLost(before, unionAt(area), { anyLastUpdate: true });
    assertReleased(area);
  };

/** The next job may be another one. What was half restored is kept for its readers for 10 s then: so but now and then. */
const afterReduce = recoverBy(runReduce, runReduce, runRestore, runRepair);
const afterRestore = recoverBy(...many(runRestore, 12), runReduce, runRepair);

function many<T>(one: T, count: number): [T, ...T[]] {
  return [one, ...Array.from({ length: count - 1 }, () => one)];
}

const restore = ["restore", "--runname", "%", "--grace", "0s"];
const reduce = ["reduce", "--runname", "%"];
const withExports = ["areas", "cache", "exports"];

/** Exports stand beside the areas. */
function exportsOf({ directory }: SampleArea): string {
  return join(directory, "..", "..", "exports");
}

/** An area whose runs have all moved, and a directory for their exports. */
async function movedArea(options: StageOptions): Promise<SampleArea> {
  const area = sampleArea(options, { unsynced: false, inFlight: 0 });
  mkdirSync(exportsOf(area));
  await runReduce(area);
  return area;
}

/** What a cut left is laid out in other directories, so the area gets another id. */
const anyArea = { anyArea: true };

async function importAll(area: SampleArea): Promise<void> {
  const purged = completedColumn(
    area,
    "SELECT export_file FROM mtjobs_purged WHERE run_id NOT IN (SELECT run_id FROM mtjobs_runs)",
  );
  for (const file of purged) await runImport(area, String(file), anyArea);
}

/**
 * The next job may be any. Then each run is in completed-runs.db, or in the export that `mtjobs_purged` names, and an
 * import of that puts it back.
 */
const afterPurge =
  (...jobs: readonly [Job, ...Job[]]): Scenario["recover"] =>
  async ({ area, before, random }) => {
    await random.pick(jobs)(area);
    await importAll(area);
    assertNothingLost(before, unionAt(area), { anyLastUpdate: true });
    assertReleased(area);
  };

const purge: Job = (area) => runPurge(area, { export: exportsOf(area) });
const importFirst: Job = (area) => runImport(area, exportsIn(exportsOf(area))[0] ?? "", anyArea);

export const scenarios = {
  "a reduce": {
    record: (o) => recordJob(o, sampleArea(o), [...reduce, "--compact", "never"]),
    recover: afterReduce,
  },
  "a restore": {
    record: async (o) => {
      const area = sampleArea(o, { unsynced: false, inFlight: 0 });
      await runReduce(area);
      return await recordJob(o, area, [...restore, "--compact", "never"]);
    },
    recover: afterRestore,
  },
  "a reduce that compacts": {
    record: (o) => recordJob(o, sampleArea(o), [...reduce, "--compact", "always"]),
    recover: afterReduce,
  },
  "a restore that compacts": {
    record: async (o) => {
      const area = sampleArea(o);
      await runReduce(area, { runname: undefined, runId: [1, 2] });
      return await recordJob(o, area, [...restore, "--compact", "always"]);
    },
    recover: afterRestore,
  },
  "a purge": {
    record: async (o) => {
      const area = await movedArea(o);
      const flags = ["--runname", "%", "--export", exportsOf(area), "--compact", "never"];
      return await recordJob(o, area, ["purge", ...flags], withExports);
    },
    recover: afterPurge(purge, purge, runRepair),
  },
  "an import": {
    record: async (o) => {
      const area = await movedArea(o);
      await purge(area);
      return await recordJob(o, area, ["import", exportsIn(exportsOf(area))[0] ?? ""], withExports);
    },
    before: async (area) => {
      await importAll(area);
      return unionAt(area);
    },
    recover: afterPurge(importFirst, importFirst, runRepair),
  },
  "a migration, all machines at once": allAtOnce,
  "a migration, one machine alone": oneAlone,
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof scenarios;
