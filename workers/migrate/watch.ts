import { existsSync } from "node:fs";
import type { Area } from "../../shared/area/area.ts";
import { findCache } from "../../shared/area/cache.ts";
import type { JobContext } from "../../shared/job-context.ts";
import type { MigrationRow } from "../../shared/migration-row.ts";
import { outwaitBusy } from "../move/transaction.ts";
import type { ClosedMark } from "./closed.ts";
import {
  ensureMigrationDirectory,
  readMigrationFiles,
  type Watched,
  writeWatched,
} from "./migration-files.ts";
import { readMark } from "./pair-files.ts";
import { type CopiedStrays, exportForeign, exportStray, findStrays, strayFiles } from "./strays.ts";

/** Longer than anybody holds what a file server told of `.homehost` (60 s), ms. */
export const defaultSettleMs = 75_000;

/** A stray that is found sooner is written to for less long, ms. */
const longestPauseMs = 5_000;

/** So many strays are more than there are users of an area; who makes more fills a disk. */
const mostForeign = 100;
/** As many as a line of the history has warnings. */
const mostProblems = 20;
const tooMany = `there are more than ${mostForeign} such caches`;

/**
 * One look of the old home, after the switch, for processes that did not notice: what they wrote is closed as well and
 * copied to the area. It writes to the migration's directory alone: megatest.db is the new home's.
 *
 * @returns ms until the next look; undefined when it has watched long enough
 */
export async function watch(area: Area, row: MigrationRow, context: JobContext): Promise<number | undefined> {
  const settleMs = context.settleMs ?? defaultSettleMs;
  const now = Date.now();
  const begun: Watched = { since: now, until: now + settleMs, strays: 0, done: false };
  const known = readMigrationFiles(area, row.token).watched;
  // One that ends later than a watch lasts was begun before this host's clock was set back.
  const watched = known !== undefined && known.until - now <= settleMs ? known : begun;
  const found = await copyStrays(area, row, context, known ?? begun);
  const done = now >= watched.until;
  writeWatched(area, row.token, { ...watched, ...found, done });
  return done ? undefined : Math.min(watched.until - now, settleMs / 3, longestPauseMs);
}

/** @returns how many strays the area has by now, which of them are other users', and what is to be told of those */
async function copyStrays(
  area: Area,
  row: MigrationRow,
  context: JobContext,
  before: Watched,
): Promise<{ strays: number; copied: CopiedStrays; problems: Record<string, string> }> {
  const { settings, signal } = context;
  const directory = ensureMigrationDirectory(area, row.token);
  let count = countStrays(directory);
  const closed = await outwaitBusy(signal, () => markOf(area, row, context));
  const copied = { ...before.copied };
  const problems = { ...before.problems };
  const tell = (of: string, sentence: string) => {
    context.log(sentence);
    noteProblem(problems, of, sentence);
  };
  const o = { directory, partToken: row.token, model: area.megatestDb, signal };
  for (const stray of await outwaitBusy(signal, () => findStrays(area, settings, closed, copied))) {
    const { foreign } = stray;
    if (foreign === undefined) await exportStray(stray, { ...o, closed, n: ++count });
    else {
      const n = copied[stray.directory]?.n ?? count + 1;
      const problem = n > mostForeign ? tooMany : await exportForeign(stray, foreign, { ...o, n });
      if (problem !== undefined) {
        // It must not keep a migration from its end; the next look tries again.
        tell(stray.directory, `${stray.directory} of ${foreign.owner} is not merged: ${problem}.`);
        continue;
      }
      copied[stray.directory] = { n, changedAt: foreign.changedAt };
      count = Math.max(count, n);
    }
    context.failpoint("stray-copied");
    context.log(
      `${stray.directory} was written to after the homehost moved; its rows will be merged at the new home.`,
    );
    if (foreign !== undefined) tell(stray.directory, staysOpen(stray.directory, foreign.owner));
  }
  return { strays: count, copied, problems };
}

/** What is there was copied whole, whether or not whoever did it came to say so. */
function countStrays(directory: string): number {
  let count = 0;
  while (existsSync(strayFiles(directory, count + 1).cache)) count++;
  return count;
}

const staysOpen = (directory: string, owner: string) =>
  `${directory} belongs to ${owner} and stays open: end the processes that write to it; mtjobs does not check it after this migration.`;

function noteProblem(problems: Record<string, string>, directory: string, sentence: string): void {
  const isKnown = Object.hasOwn(problems, directory);
  if (isKnown || Object.keys(problems).length < mostProblems) problems[directory] = sentence;
}

/** How the migration closed the old home; as it would have where there was no pair to close. */
function markOf(area: Area, row: MigrationRow, { settings }: JobContext): ClosedMark {
  const pair = findCache(area, settings);
  const mark = pair === undefined ? undefined : readMark(pair).mark;
  if (mark?.token === row.token) return mark;
  return { token: row.token, movedTo: row.to_home, closedAt: row.begun_at, changeCounter: -1 };
}
