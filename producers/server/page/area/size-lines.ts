import type { AreaHistory } from "../../../contract/area.ts";

type Line = (number | null)[];

/** A job on the charts; `at` is seconds since 1970, when it ended. */
export interface JobMark {
  at: number;
  job: string | null;
}

/** What the charts of an area's sizes show. Lines have a value for each of `times`, seconds since 1970. */
export interface SizeLines {
  times: number[];
  /** What a time stands for, such as `before reduce`. */
  moments: string[];
  bytes: [megatest: Line, completed: Line];
  runs: [megatest: Line, completed: Line];
  marks: JobMark[];
}

/** What the databases hold now, as far as that is known. */
interface RunsNow {
  runs: number | null;
  completedRuns: number | null;
}

const sides = ["megatest.db", "completed-runs.db"] as const;

/** Converts the points of a history, from before the first job on, to lines that end now. */
export function sizeLines(
  { points, now }: Pick<AreaHistory, "points" | "now">,
  { runs, completedRuns }: RunsNow,
): SizeLines {
  // Hosts' clocks differ: the last job may have ended later than now.
  const end = Math.max(now.at, points.at(-1)?.at ?? 0);
  const present = { "megatest.db": runs, "completed-runs.db": completedRuns };
  const all = [
    ...points.map((point) => ({ ...point, moment: `${point.when} ${point.job ?? "a job"}` })),
    { at: end, bytes: now.bytes, runs: present, moment: "now" },
  ];
  const line = (of: "bytes" | "runs", side: (typeof sides)[number]) => all.map((point) => point[of][side]);
  return {
    times: all.map(({ at }) => at),
    moments: all.map(({ moment }) => moment),
    bytes: [line("bytes", sides[0]), line("bytes", sides[1])],
    runs: [line("runs", sides[0]), line("runs", sides[1])],
    marks: points.filter(({ when }) => when === "after").map(({ at, job }) => ({ at, job })),
  };
}

const hour = 3600;

/** Returns what the axis of time shows; of one moment, half a day to either side. */
export function timeRange(times: readonly number[]): [from: number, to: number] {
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  const span = last - first;
  const margin = span < hour ? 12 * hour : span / 50;
  return [first - margin, last + margin];
}
