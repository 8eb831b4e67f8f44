/** What `npm run bench` measures, in the order in which docs/benchmarks.md lists it. */
export const benchFigures = {
  time: { says: "total time of a reduce, mtjobs / script", aim: "at most 1.5" },
  "time-beside": { says: "the same beside a writing client", aim: "none: the script locks it out" },
  wait: { says: "longest wait of that client, mtjobs / script", aim: "at most 0.02" },
  "wait-other": {
    says: "longest wait of a client in Python, which waits as SQLite itself does, mtjobs / script",
    aim: "at most 0.02",
  },
  "late-other": {
    says: "the same: what 99 % of its writes take beside mtjobs / its longest wait beside the script",
    aim: "none",
  },
  "wait-disk": {
    says: "longest wait of such a client that waits for the disk at each write (synchronous=FULL), mtjobs / script",
    aim: "at most 0.02",
  },
  "late-disk": {
    says: "the same: what 99 % of its writes take beside mtjobs / its longest wait beside the script",
    aim: "none",
  },
  growth: {
    says: "the same twentieth of the runs, out of the area / out of a tenth of it",
    aim: "at most 1.3",
  },
  memory: { says: "peak memory, moving nine tenths of the runs / moving one tenth", aim: "1: flat" },
  pair: {
    says: "time a pair of 200 MiB is closed for on its way to another host / copied by hand with the same checks",
    aim: "at most 1.5",
  },
  "query-median": {
    says: "queries of Megatest's kinds in full-db mode / in one undivided database, median",
    aim: "at most 1.3",
  },
  "query-largest": { says: "the same, largest", aim: "at most 2" },
  "join-largest": {
    says: "joins with ORDER BY, LEFT JOIN, GROUP BY, LIMIT and sub-selects, the same, largest",
    aim: "at most 5",
  },
  start: { says: "time of `mtjobs --version` / `node -e 0`", aim: "at most 1.5" },
  "start-list": {
    says: "time of `mtjobs list-runs` of ten runs with 1,000 tests / `node -e 0`",
    aim: "none",
  },
  "start-query": { says: "time of `mtjobs query --full-db` of that area / `node -e 0`", aim: "none" },
  "start-status": { says: "time of `mtjobs status` of that area / `node -e 0`", aim: "none" },
  "start-dry": { says: "time of a dry run of a reduce of one run / `node -e 0`", aim: "none" },
  enqueue: {
    says: "jobs enqueued a second by `enqueueAll`, checked and all / by BullMQ's `addBulk`, ready made",
    aim: "at least 0.8",
  },
  overhead: {
    says: "time of a job that finds nothing to move, by a worker / by BullMQ's own that calls the same code",
    aim: "at most 1.3",
  },
  idle: { says: "an idle worker with 100 areas, % of a core", aim: "under 1" },
  "farm-faults": {
    says: "a job for each run of 500 areas on 50 hosts: jobs that failed, areas where a run is missing or stands twice",
    aim: "0",
  },
  "farm-memory": {
    says: "the same: memory of ten hosts' workers at the end / after a fifth of the jobs, largest of four",
    aim: "bounded",
  },
} as const;

export type BenchFigure = keyof typeof benchFigures;
