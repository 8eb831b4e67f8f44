/** How long completed-runs.db keeps a run that is back, unless said otherwise, ms. */
export const defaultGraceMs = 10_000;

/** And at most. */
export const longestGraceMs = 3_600_000;
