import { existsSync } from "node:fs";
import type { Area } from "../../../shared/area/area.ts";
import { findCache } from "../../../shared/area/cache/cache.ts";
import { defaultSettleMs } from "../../../shared/contract/defaults.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import { toJobsError } from "../../../shared/errors.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";
import type { ClosedMark } from "../pair/closed.ts";
import {
  type CopiedCaches,
  type DivergentCache,
  divergentCacheFiles,
  type ExportOptions,
  exportDivergentCache,
  exportForeign,
  findDivergentCaches,
} from "../pair/divergent-caches.ts";
import { readMark } from "../pair/pair-files.ts";
import {
  ensureMigrationDirectory,
  readMigrationFiles,
  type Watched,
  writeWatched,
} from "../state/migration-files.ts";

/** Maximum pause between passes, ms. */
const longestPauseMs = 5_000;

/** More than an area has users; keeps one from filling the disk. */
const mostForeign = 100;
const mostProblems = 20;
const tooMany = `there are more than ${mostForeign} such caches`;

/**
 * Runs one pass of the old home that closes and copies caches still written to after the switch. Writes only to the
 * migration's directory: megatest.db belongs to the new home.
 *
 * @returns ms until the next pass; undefined at the end
 */
export async function watchOldHome(
  area: Area,
  row: MigrationRow,
  context: JobContext,
): Promise<number | undefined> {
  const settleMs = context.settleMs ?? defaultSettleMs;
  const now = Date.now();
  const begun: Watched = { since: now, until: now + settleMs, strays: 0, done: false };
  const known = readMigrationFiles(area, row.token).watched;
  // Otherwise it began before this host's clock was set back.
  const watched = known !== undefined && known.until - now <= settleMs ? known : begun;
  const found = await copyDivergentCaches(area, row, context, known ?? begun);
  const done = now >= watched.until;
  writeWatched(area, row.token, { ...watched, ...found, done });
  return done ? undefined : Math.min(watched.until - now, settleMs / 3, longestPauseMs);
}

async function copyDivergentCaches(
  area: Area,
  row: MigrationRow,
  context: JobContext,
  before: Watched,
): Promise<{ strays: number; copied: CopiedCaches; problems: Record<string, string> }> {
  const { settings, signal } = context;
  const directory = ensureMigrationDirectory(area, row.token);
  let count = countDivergentCaches(directory);
  const closed = await retryWhileBusy(signal, () => markOf(area, row, context));
  const copied = { ...before.copied };
  const problems = { ...before.problems };
  const report = (of: string, sentence: string) => {
    context.log(sentence);
    noteProblem(problems, of, sentence);
  };
  const o = { directory, stepToken: row.token, model: area.megatestDb, signal };
  for (const divergent of await retryWhileBusy(signal, () =>
    findDivergentCaches(area, settings, closed, copied),
  )) {
    const { foreign } = divergent;
    if (foreign === undefined) {
      const problem = await exportOwn(divergent, { ...o, closed, n: count + 1 }, context);
      if (problem !== undefined) {
        report(divergent.directory, `${divergent.directory} is not merged: ${problem}; it stays there.`);
        continue;
      }
      count++;
    } else {
      const n = copied[divergent.directory]?.n ?? count + 1;
      const problem = n > mostForeign ? tooMany : await exportForeign(divergent, foreign, { ...o, n });
      if (problem !== undefined) {
        // It must not block the migration; the next pass retries.
        report(divergent.directory, `${divergent.directory} of ${foreign.owner} is not merged: ${problem}.`);
        continue;
      }
      copied[divergent.directory] = { n, changedAt: foreign.changedAt };
      count = Math.max(count, n);
    }
    context.failpoint("stray-copied");
    context.log(
      `${divergent.directory} was written to after the homehost moved; its rows will be merged at the new home.`,
    );
    if (foreign !== undefined) report(divergent.directory, staysOpen(divergent.directory, foreign.owner));
  }
  return { strays: count, copied, problems };
}

/** Returns why a cache of this user cannot be closed and copied: damage must not block the migration. */
async function exportOwn(
  divergent: DivergentCache,
  o: ExportOptions,
  { log }: Pick<JobContext, "log">,
): Promise<string | undefined> {
  try {
    const [problem] = await exportDivergentCache(divergent, o);
    if (problem !== undefined) log(`${divergent.cache} is damaged: ${problem}.`);
    return undefined;
  } catch (thrown) {
    const error = toJobsError(thrown);
    if (error.code !== "corrupt") throw thrown;
    if (divergent.ref === undefined) return error.message;
    // The cache may be sound: without a ref its rows are compared with the migration's base.
    log(`${divergent.directory}: ${error.message}; it is copied without its ref.`);
    return await exportOwn({ ...divergent, ref: undefined }, o, { log });
  }
}

/** Counts the copies; an existing one is complete, even if it was not recorded. */
function countDivergentCaches(directory: string): number {
  let count = 0;
  while (existsSync(divergentCacheFiles(directory, count + 1).cache)) count++;
  return count;
}

const staysOpen = (directory: string, owner: string) =>
  `${directory} belongs to ${owner} and stays open: end the processes that write to it; mtjobs does not check it after this migration.`;

function noteProblem(problems: Record<string, string>, directory: string, sentence: string): void {
  const isKnown = Object.hasOwn(problems, directory);
  if (isKnown || Object.keys(problems).length < mostProblems) problems[directory] = sentence;
}

/** Returns the mark of the closed old home, or an equivalent one without a pair, or with one too damaged to read. */
function markOf(area: Area, row: MigrationRow, { settings }: JobContext): ClosedMark {
  const pair = findCache(area, settings);
  let mark: ClosedMark | undefined;
  try {
    mark = pair === undefined ? undefined : readMark(pair).mark;
  } catch (error) {
    if (toJobsError(error).code !== "corrupt") throw error;
  }
  if (mark?.token === row.token) return mark;
  return { token: row.token, movedTo: row.to_home, closedAt: row.begun_at, changeCounter: -1 };
}
