import { isDeadHolder } from "./holder.ts";

/** How long a lease lasts without renewal, in ms. Longer than any pause a healthy worker shows. */
export const leaseMs = 60_000;

/** The clock of a holder may be ahead by this much, in ms. Further ahead, its lease is taken for one of a wrong clock. */
const mostAheadMs = 60_000;

/** Who holds an area, as megatest.db tells. */
export interface Lease {
  /** Null where nobody does. */
  holder: string | null;
  /** Ms since 1970, by the holder's clock. A table holds what it was given: it may be no number. */
  expiresAt: number;
}

/**
 * Whether a lease keeps others out, as seen from `host` at `now` (ms since 1970). Only `held` does. `expired`: it was not
 * renewed in time. `dead`: its process ran on this host and is gone; never told without a `host`. `ahead`: it ends later
 * than any lease lasts, so the clock that it was made by was wrong, or at what is no time.
 */
export type LeaseState = "free" | "held" | "expired" | "dead" | "ahead";

export function leaseState(
  { holder, expiresAt }: Lease,
  host: string | undefined,
  now = Date.now(),
): LeaseState {
  if (holder === null) return "free";
  if (expiresAt <= now) return "expired";
  if (host !== undefined && isDeadHolder(holder, host)) return "dead";
  if (!Number.isFinite(expiresAt)) return "ahead";
  return expiresAt > now + leaseMs + mostAheadMs ? "ahead" : "held";
}
