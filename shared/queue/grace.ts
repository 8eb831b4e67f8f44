/** Default time that completed-runs.db keeps a restored run, ms. */
export const defaultGraceMs = 10_000;

export const longestGraceMs = 3_600_000;
