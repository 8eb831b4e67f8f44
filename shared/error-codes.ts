// Errors that cross module boundaries have a code, by which callers decide; never by the message.

/** Exit codes of the command, as the public contract lists them. */
export const ExitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  unreachable: 4,
  timeout: 5,
  interrupted: 130,
} as const;

/** Exit code of each error code, and whether a retry can help. */
export const catalogue = {
  // invalid input: nothing was changed
  usage: { exit: ExitCode.usage, retry: false },
  "bad-payload": { exit: ExitCode.usage, retry: false },
  "bad-config": { exit: ExitCode.usage, retry: false },
  "bad-settings": { exit: ExitCode.usage, retry: false },
  "not-an-area": { exit: ExitCode.usage, retry: false },
  "unknown-job": { exit: ExitCode.usage, retry: false },
  "unknown-run": { exit: ExitCode.usage, retry: false },
  "bad-query": { exit: ExitCode.usage, retry: false },
  "read-only": { exit: ExitCode.usage, retry: false },
  // safety rules: nothing was done
  "outside-roots": { exit: ExitCode.refused, retry: false },
  "not-home": { exit: ExitCode.refused, retry: false },
  "not-owner": { exit: ExitCode.refused, retry: false },
  "several-caches": { exit: ExitCode.refused, retry: false },
  locked: { exit: ExitCode.refused, retry: true },
  "not-quiescent": { exit: ExitCode.refused, retry: false },
  pinned: { exit: ExitCode.refused, retry: false },
  conflict: { exit: ExitCode.refused, retry: false },
  "unfit-host": { exit: ExitCode.refused, retry: false },
  "too-soon": { exit: ExitCode.refused, retry: false },
  "still-alive": { exit: ExitCode.refused, retry: false },
  unconfirmed: { exit: ExitCode.refused, retry: false },
  "ids-used-up": { exit: ExitCode.refused, retry: false },
  "outside-window": { exit: ExitCode.refused, retry: true },
  paused: { exit: ExitCode.refused, retry: true },
  // failures; the work can be resumed
  "rolled-back": { exit: ExitCode.failed, retry: false },
  "lost-lease": { exit: ExitCode.failed, retry: true },
  busy: { exit: ExitCode.failed, retry: true },
  io: { exit: ExitCode.failed, retry: true },
  "disk-full": { exit: ExitCode.failed, retry: true },
  corrupt: { exit: ExitCode.failed, retry: false },
  "unknown-schema": { exit: ExitCode.failed, retry: false },
  "bad-installation": { exit: ExitCode.failed, retry: false },
  "bad-redis": { exit: ExitCode.failed, retry: false },
  cancelled: { exit: ExitCode.failed, retry: false },
  stopped: { exit: ExitCode.failed, retry: true },
  internal: { exit: ExitCode.failed, retry: false },
  // unavailable peers
  "redis-unreachable": { exit: ExitCode.unreachable, retry: true },
  "no-worker": { exit: ExitCode.unreachable, retry: true },
  timeout: { exit: ExitCode.timeout, retry: true },
  interrupted: { exit: ExitCode.interrupted, retry: true },
} as const satisfies Record<string, { exit: number; retry: boolean }>;

export type ErrorCode = keyof typeof catalogue;

/** For the documentation test and for errors read from Redis. */
export const errorCodes = Object.keys(catalogue) as ErrorCode[];
