import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { builtFile } from "../../shared/process.ts";
import { record } from "../support/area/recorded.ts";
import { benchArea, days } from "./areas.ts";
import { runReduce } from "./mtjobs-reduce.ts";
import { benchOptions, say } from "./report.ts";

const hook = fileURLToPath(new URL("../test/bench/statement-times.cjs", builtFile("")));

/** What statement-times.cjs writes of a thread, in ms; by statement the time from its call to its return. */
interface Thread {
  ms: { total: number; active: number; running: number };
  times: [sql: string, ms: number][];
}

/** Kinds of statements; the first that fits counts. */
const kinds = [
  ["commit", /^COMMIT/],
  ["delete", /^DELETE FROM (cache|ref|area)\./],
  ["read the cache into the stage", /^INSERT (OR IGNORE )?INTO temp\.stage_/],
  ["compare megatest.db with the stage", /temp\.differing/],
  ["read facts from the stage", /temp\.stage_tests AS t\b|run_id, max\(life\)|min\(what\)/],
  ["write completed-runs.db", /^INSERT OR ABORT INTO completed\./],
  ["read the copy back", /temp\.stage_\w+ AS s LEFT JOIN completed|FROM temp\.stage_\w+\)\) AS u/],
  ["compare with the copy", /^SELECT x\.id FROM/],
] as const;

const kindOf = (sql: string) => kinds.find(([, pattern]) => pattern.test(sql.trim()))?.[0] ?? "other";

/** The thread that writes completed-runs.db copies; another one is known by the part whose rows it deletes. */
function nameOf({ times }: Thread): string {
  if (times.some(([sql]) => sql.startsWith("INSERT OR ABORT INTO completed."))) return "copies";
  const parts = times.flatMap(([sql, ms]) => {
    const part = /^DELETE FROM (cache|ref|area)\./.exec(sql)?.[1];
    return part === undefined ? [] : [[part, ms] as const];
  });
  const most = parts.toSorted(([, a], [, b]) => b - a)[0]?.[0];
  return `removes from ${most ?? "nothing"}`;
}

/** Tells what the threads of a reduce of nine tenths of the runs do, as shares of the time that it takes. */
export async function profileReduce(directory: string, runs: number): Promise<void> {
  const area = benchArea(directory, runs);
  const profiles = join(directory, "profile");
  mkdirSync(profiles);
  const { ms: total } = await runReduce(area, ["--age", `${days * 0.1}d`], {
    NODE_OPTIONS: `--require ${hook}`,
    MTJOBS_TEST_PROFILE: profiles,
  });
  const threads = readdirSync(profiles)
    .map((name) => JSON.parse(readFileSync(join(profiles, name), "utf8")) as Thread)
    .filter(({ times }) => times.length > 0);
  const share = (ms: number) => Number(((100 * ms) / total).toFixed(1));
  for (const thread of threads) {
    const { ms, times } = thread;
    const name = nameOf(thread);
    const shares = {
      running: share(ms.running),
      queueing: share(Math.max(0, ms.active - ms.running)),
      waiting: share(ms.total - ms.active),
    };
    const byKind = new Map<string, number>();
    for (const [sql, time] of times) byKind.set(kindOf(sql), (byKind.get(kindOf(sql)) ?? 0) + time);
    const statements = [...byKind]
      .toSorted(([, a], [, b]) => b - a)
      .map(([kind, time]) => `${kind} ${share(time)}`)
      .join(", ");
    say(
      `the thread that ${name}: runs ${shares.running} %, queues ${shares.queueing} %, waits ${shares.waiting} %; ${statements}`,
    );
    record("profile", { thread: name, options: benchOptions, ...shares, statements });
  }
}
