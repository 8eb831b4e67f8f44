/** How the work of a job is told: `moved 3 runs`, `would restore 3 runs`. */
export interface JobVerb {
  did: string;
  todo: string;
}

/** The verb of the job called `job`; of one that is not known here, as a history may hold, that of a reduce. */
export function verbOf(job: unknown): JobVerb {
  return job === "restore" ? { did: "restored", todo: "restore" } : { did: "moved", todo: "move" };
}
