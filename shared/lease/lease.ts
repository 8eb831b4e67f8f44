import { isDeadHolder } from "./holder.ts";

/** Lifetime without renewal, ms. Longer than any pause of a healthy worker. */
export const leaseMs = 60_000;

/** Maximum clock difference of a holder, ms; a lease further ahead comes from a wrong clock. */
const mostAheadMs = 60_000;

/** The holder of an area, from megatest.db. */
export interface Lease {
  /** Null if the area is free. */
  holder: string | null;
  /** Ms since 1970, by the holder's clock; possibly not a number. */
  expiresAt: number;
}

/**
 * Only `held` excludes others. `dead`: its process ran on this `host` and does not exist. `ahead`: it ends later than
 * any lease lasts, or is not a number.
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
