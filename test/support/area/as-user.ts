/** An unprivileged user's number, on Linux that of `nobody`. */
export const nobody = 65534;

/** True if tests may act as another user. */
export const isRoot = process.geteuid?.() === 0;

/** Runs `act` with another effective user; as this one if it is not root. */
export function asUser<T>(uid: number, act: () => T): T {
  if (!isRoot) return act();
  process.seteuid?.(uid);
  try {
    return act();
  } finally {
    process.seteuid?.(0);
  }
}
