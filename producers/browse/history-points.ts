import type { HistoryLine } from "../../shared/contract/area-facts.ts";
import type { BySide, HistoryPoint } from "../contract/area.ts";
import { beginningOf } from "./bounded.ts";

/** What a line of the history says of sizes. Times in seconds since 1970. */
export interface JobSizes {
  jobId: string;
  job: string | null;
  begunAt: number;
  endedAt: number;
  before: BySide;
  after: BySide;
  /** Runs after it; null if it has none. */
  runs: BySide;
  /** Runs that it brought to completed-runs.db; negative for a restore. */
  movedRuns: number;
}

/** Parts into which a long history is divided; of each the first, the last and the largest job are shown. */
const parts = 50;
const mostJobs = 3 * parts;

type Members = Record<string, unknown>;
const members = (value: unknown): Members =>
  typeof value === "object" && value !== null ? (value as Members) : {};
const numberOf = (value: unknown) => (typeof value === "number" && Number.isFinite(value) ? value : null);

/** Reads a line, which any version may have written; undefined for a dry run, a migration, and a damaged line. */
export function sizesOf(line: HistoryLine): JobSizes | undefined {
  const ended = Date.parse(String(line.at));
  const bytes = members(line.bytes);
  if (line.dryRun === true || line.job === "migrate" || Number.isNaN(ended)) return undefined;
  if (numberOf(members(bytes["megatest.db"]).after) === null) return undefined;
  const side = (read: (name: keyof BySide) => unknown): BySide => ({
    "megatest.db": numberOf(read("megatest.db")),
    "completed-runs.db": numberOf(read("completed-runs.db")),
  });
  const elapsed = Math.max(0, numberOf(line.elapsedMs) ?? 0);
  const finished = members(line.finished);
  const runsOf = (rows: unknown) => numberOf(members(rows).runs) ?? 0;
  const moved = runsOf(line.moved) * (line.job === "restore" ? -1 : 1);
  return {
    jobId: beginningOf(line.jobId, 64),
    job: typeof line.job === "string" ? beginningOf(line.job, 32) : null,
    begunAt: Math.floor((ended - elapsed) / 1000),
    endedAt: Math.floor(ended / 1000),
    before: side((name) => members(bytes[name]).before),
    after: side((name) => members(bytes[name]).after),
    runs: side((name) => members(members(line.sides)[name]).runs),
    movedRuns: moved + runsOf(finished.reduce) - runsOf(finished.restore),
  };
}

/** Returns a point before and after each job, oldest first; of many jobs some. @param jobs oldest first */
export function pointsOf(jobs: readonly JobSizes[]): { points: HistoryPoint[]; shown: number } {
  const known = withCompletedRuns(jobs);
  const shown = thinned(known);
  let last = Number.NEGATIVE_INFINITY;
  const points = shown.flatMap(({ jobId, job, begunAt, endedAt, before, after, runs, movedRuns }) => {
    const [area, completed] = [runs["megatest.db"], runs["completed-runs.db"]];
    const runsBefore: BySide = {
      "megatest.db": area === null ? null : Math.max(0, area + movedRuns),
      "completed-runs.db": completed === null ? null : Math.max(0, completed - movedRuns),
    };
    // Hosts' clocks differ, and a job that was requeued counts its whole time.
    const from = Math.max(last, Math.min(begunAt, endedAt));
    last = Math.max(from, endedAt);
    return [
      { at: from, jobId, job, when: "before" as const, bytes: before, runs: runsBefore },
      { at: last, jobId, job, when: "after" as const, bytes: after, runs },
    ];
  });
  return { points, shown: shown.length };
}

/** Fills in the runs of completed-runs.db, which only jobs change, from the next job that has them. */
function withCompletedRuns(jobs: readonly JobSizes[]): JobSizes[] {
  let next: number | null = null;
  return jobs
    .toReversed()
    .map((job) => {
      const completed: number | null = job.runs["completed-runs.db"] ?? next;
      next = completed === null ? null : Math.max(0, completed - job.movedRuns);
      return { ...job, runs: { ...job.runs, "completed-runs.db": completed } };
    })
    .reverse();
}

function thinned(jobs: readonly JobSizes[]): JobSizes[] {
  const [first, last] = [jobs[0], jobs.at(-1)];
  if (jobs.length <= mostJobs || first === undefined || last === undefined) return [...jobs];
  const span = Math.max(1, last.endedAt - first.endedAt);
  const kept = new Map<number, { first: JobSizes; largest: JobSizes; last: JobSizes }>();
  for (const job of jobs) {
    const part = Math.max(0, Math.min(parts - 1, Math.floor(((job.endedAt - first.endedAt) / span) * parts)));
    const known = kept.get(part) ?? { first: job, largest: job, last: job };
    const size = ({ before }: JobSizes) => before["megatest.db"] ?? 0;
    kept.set(part, { ...known, last: job, largest: size(job) > size(known.largest) ? job : known.largest });
  }
  const chosen = new Set([...kept.values()].flatMap((part) => [part.first, part.largest, part.last]));
  return jobs.filter((job) => chosen.has(job));
}
