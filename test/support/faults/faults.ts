import { setTimeout as sleep } from "node:timers/promises";
import { letLeaseRunOut } from "../hosts/two-hosts.ts";
import { fillBut, makeReadOnly } from "../queue/mount-small.ts";
import type { FaultHosts, Side } from "./fault-hosts.ts";

export interface Fault {
  /** Begins the fault while the step's worker is stopped. Returns a function that ends it. */
  strike(stage: FaultHosts): (() => Promise<void> | void) | Promise<() => Promise<void> | void>;
  /** Its duration, ms. */
  lastsMs: number;
  /** The side whose worker does not run during the fault. */
  silences?: Side;
}

/** Longer than a dead host's locks in Redis last, ms. */
const beyondLocksMs = 12_000;
/** Long enough for the running workers to encounter the fault, ms. */
const metMs = 5_000;

function killed(side: Side): Fault {
  return {
    lastsMs: 2_000,
    silences: side,
    strike: async (stage) => {
      await stage.kill(side);
      return async () => void (await stage.start(side));
    },
  };
}

/** The lease in the databases is aged; locks in Redis must expire. */
function paused(side: Side): Fault {
  return {
    lastsMs: beyondLocksMs,
    silences: side,
    strike: (stage) => {
      stage.signal(side, "SIGSTOP");
      letLeaseRunOut(stage.area);
      return () => stage.signal(side, "SIGCONT");
    },
  };
}

function cutFrom(side: Side): Fault {
  return {
    lastsMs: beyondLocksMs,
    strike: async ({ links }) => {
      await links[side].cut();
      return () => links[side].restore();
    },
  };
}

function full(place: (stage: FaultHosts) => string): Fault {
  return { lastsMs: metMs, strike: (stage) => fillBut(place(stage), 0) };
}

function readOnly(place: (stage: FaultHosts) => string): Fault {
  return { lastsMs: metMs, strike: (stage) => makeReadOnly(place(stage)) };
}

/** Every fault that a migration must survive at each step. */
export const faults = {
  "the old home's worker killed": killed("old"),
  "the new home's worker killed": killed("new"),
  "the old home's worker paused beyond every lock": paused("old"),
  "the new home's worker paused beyond every lock": paused("new"),
  "Redis killed and started again, empty": {
    lastsMs: 1_000,
    strike: async ({ redis }) => {
      await redis.kill();
      return () => redis.restart();
    },
  },
  "Redis out of the old home's reach": cutFrom("old"),
  "Redis out of the new home's reach": cutFrom("new"),
  "the area's disk full": full(({ areasRoot }) => areasRoot),
  "the old home's disk full": full((stage) => stage.cacheRoot("old")),
  "the new home's disk full": full((stage) => stage.cacheRoot("new")),
  "the new home's /tmp read-only": readOnly((stage) => stage.cacheRoot("new")),
  "the area read-only": readOnly(({ areasRoot }) => areasRoot),
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;

export async function endure({ lastsMs }: Fault): Promise<void> {
  await sleep(lastsMs);
}
