/** As in `moved 3 runs`, `would restore 3 runs`. */
export interface JobVerb {
  did: string;
  todo: string;
}

const verbs: Record<string, JobVerb> = {
  restore: { did: "restored", todo: "restore" },
  purge: { did: "purged", todo: "purge" },
  import: { did: "imported", todo: "import" },
};

/** Returns a job's verbs; unknown jobs, as in a history, count as a reduce. */
export function verbOf(job: unknown): JobVerb {
  return verbs[String(job)] ?? { did: "moved", todo: "move" };
}
