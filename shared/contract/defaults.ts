/** Default time that completed-runs.db keeps a restored run, ms. */
export const defaultGraceMs = 10_000;

export const longestGraceMs = 3_600_000;

/** Default of `--dead-after`, ms: after a day Megatest itself treats an unfinished test as dead. */
export const defaultDeadAfterMs = 24 * 3600 * 1000;

/** Longer than clients cache `.homehost` (60 s), ms. */
export const defaultSettleMs = 75_000;
