import type { CheckReport, MigrateCheck } from "../../../shared/contract/migrate-result.ts";
import { assertMegatestSchemas, type Files } from "../../area-db/databases.ts";
import { openReadonly } from "../../area-db/open-readonly.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";
import { type Activity, type RunningTest, readActivity } from "./last-activity.ts";

export interface QuietOptions {
  files: Files;
  /** Ms without activity that make an area quiet. */
  quietForMs: number;
  /** Ms since 1970. */
  now: number;
  /** Ms by which the file system's clock is ahead; negative: behind. */
  skewMs: number;
  signal: AbortSignal;
}

/** Maximum clock difference, seconds; later times are errors in the record. */
const aheadMargin = 600;

const named = 20;

/**
 * Checks `tests` and `activity` by the freshest data. Running tests without recent activity count as stuck and do not
 * block. `earliestAt` is when the newest activity will be old enough.
 */
export async function quietReport({
  files,
  quietForMs,
  now,
  skewMs,
  signal,
}: QuietOptions): Promise<CheckReport> {
  // The writer's clock was between these two.
  const since = Math.floor((Math.min(now, now + skewMs) - quietForMs) / 1000);
  const until = Math.ceil(Math.max(now, now + skewMs) / 1000) + aheadMargin;
  const signs = await read(files, { since, until }, signal);
  const alive = signs.running.filter(({ sign }) => sign > since);
  const checks = [
    testsCheck(alive, signs.running.length - alive.length, stuckOf(signs, since)),
    activityCheck(signs),
  ];
  if (checks.every(({ ok }) => ok === true)) return { checks };
  const newest = Math.max(signs.newest ?? 0, ...alive.map(({ sign }) => sign));
  // Waiting does not help against tests dated in the future.
  return newest > until ? { checks } : { checks, earliestAt: newest * 1000 + quietForMs + 1000 };
}

async function read(
  files: Files,
  window: { since: number; until: number },
  signal: AbortSignal,
): Promise<Activity> {
  const { completed: _, ...sources } = files;
  const db = await retryWhileBusy(signal, () => openReadonly(sources));
  try {
    await retryWhileBusy(signal, () => assertMegatestSchemas(db, files));
    const given = { hasCache: files.cache !== undefined, hasRef: files.ref !== undefined };
    return await readActivity(db, given, window, signal);
  } finally {
    db.close();
  }
}

const stuckOf = ({ running }: Activity, since: number) => running.filter(({ sign }) => sign <= since);

function testsCheck(alive: RunningTest[], stuck: number, stuckTests: RunningTest[]): MigrateCheck {
  const facts = { running: alive.length, tests: show(alive), stuck, stuckTests: show(stuckTests) };
  if (alive.length > 0) {
    const last = Math.max(...alive.map(({ sign }) => sign));
    return {
      name: "tests",
      ok: false,
      detail: `${count(alive.length)} running; the last activity was at ${timeOf(last)}`,
      facts,
    };
  }
  const rest =
    stuck === 0
      ? ""
      : `; ${count(stuck)} marked as running without activity and ${stuck === 1 ? "does" : "do"} not count`;
  return { name: "tests", ok: true, detail: `no test is running${rest}`, facts };
}

function activityCheck({ newest, ahead }: Activity): MigrateCheck {
  const facts = { newest: newest === undefined ? null : timeOf(newest), tablesAhead: ahead };
  return newest === undefined
    ? { name: "activity", ok: true, detail: "no run, test or step shows activity", facts }
    : { name: "activity", ok: false, detail: `the last activity was at ${timeOf(newest)}`, facts };
}

const count = (n: number) => (n === 1 ? "1 test is" : `${n} tests are`);

const show = (tests: readonly RunningTest[]) =>
  tests
    .toSorted((a, b) => b.sign - a.sign)
    .slice(0, named)
    .map(({ run, test, state, sign }) => ({ run, test, state, lastSign: timeOf(sign) }));

/** Formats a recorded time, which may be out of a date's range. */
function timeOf(sign: number): string {
  const date = new Date(sign * 1000);
  return Number.isNaN(date.getTime()) ? `second ${sign}` : date.toISOString();
}
