/** The sections of megatest.config by the job that their lines ask for. */
export const policySections = { reduce: "reduce-records", purge: "purge-records" } as const;
export type PolicyJob = keyof typeof policySections;

/** How the names of lines of `[purge-records]` begin in jobs, outcomes and the history. */
export const purgePrefix = `${policySections.purge}/`;

/** Lines of two sections may have one name. */
export const policyName = ({ job, name }: { job: PolicyJob; name: string }): string =>
  job === "reduce" ? name : `${policySections[job]}/${name}`;

/** `[purge-records] old`. @param policy as `policyName` returns it */
export const policyText = (policy: string): string =>
  policy.startsWith(purgePrefix)
    ? `[${policySections.purge}] ${policy.slice(purgePrefix.length)}`
    : `[${policySections.reduce}] ${policy}`;
