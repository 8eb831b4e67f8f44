/** As in `moved 3 runs`, `would restore 3 runs`. */
export interface JobVerb {
  did: string;
  todo: string;
}

/** Returns a job's verbs; unknown jobs, as in a history, count as a reduce. */
export function verbOf(job: unknown): JobVerb {
  return job === "restore" ? { did: "restored", todo: "restore" } : { did: "moved", todo: "move" };
}
