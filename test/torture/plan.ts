import type { Random } from "../../producers/demo/sample-area/random.ts";
import type { HostName } from "../support/hosts.ts";

/** A file system of the world: of the areas, or of one host's caches. */
export type Where = "areas" | HostName;

/** Something that somebody does, or that befalls somebody. Areas count from 0; `runs` are ids. */
export type Deed =
  | { do: "reduce" | "restore"; area: number; runs: number[] }
  | { do: "migrate"; area: number; to: HostName }
  | { do: "drain"; host: HostName }
  | { do: "client" | "server"; area: number; forMs: number }
  | { do: "corrupt a copy"; area: number; to: HostName; forMs: number }
  | { do: "kill" | "pause" | "cut off"; host: HostName; forMs: number }
  | { do: "slow down"; host: HostName; callMs: number; forMs: number }
  | { do: "move the clock"; host: HostName; byMs: number; forMs: number }
  | { do: "pause Megatest"; forMs: number }
  | { do: "kill Redis" | "freeze Redis"; forMs: number }
  | { do: "flush Redis" }
  | { do: "fill" | "make read-only"; where: Where; forMs: number };

export interface Planned {
  /** Milliseconds after the round began. */
  afterMs: number;
  deed: Deed;
}

export interface Round {
  /** Before it begins `megatest -cleanup-db` runs on this area. */
  cleanUp: number | undefined;
  deeds: Planned[];
}

export const hostNames = ["host-a", "host-b", "host-c"] as const satisfies HostName[];
const places = ["areas", ...hostNames] as const satisfies Where[];

/** Runs of each area in the beginning, with ids from 1: jobs are about these, wherever they are by then. */
export const runsPerArea = 8;

/** Actions of a round begin within this time, ms. */
const roundMs = 8_000;

/** What happens in the next round. The same numbers make the same round, whatever came of the last one. */
export function planRound(random: Random, areas: number): Round {
  const area = () => random.below(areas);
  const between = (from: number, to: number) => from + random.below(to - from);
  const runs = () => Array.from({ length: between(1, 5) }, () => between(1, runsPerArea + 1));
  const work: Deed[] = Array.from({ length: between(3, 7) }, () =>
    random.pick<() => Deed>([
      () => ({ do: "reduce", area: area(), runs: runs() }),
      () => ({ do: "reduce", area: area(), runs: runs() }),
      () => ({ do: "restore", area: area(), runs: runs() }),
      () => ({ do: "migrate", area: area(), to: random.pick(hostNames) }),
      () => ({ do: "migrate", area: area(), to: random.pick(hostNames) }),
      () => ({ do: "client", area: area(), forMs: between(500, 5_000) }),
      () => ({ do: "server", area: area(), forMs: between(2_000, 6_000) }),
      () => ({ do: "drain", host: random.pick(hostNames) }),
    ])(),
  );
  const faults: Deed[] = [
    onHost(random.pick(hostNames), random, between),
    elsewhere(random, between, area),
    ...(random.below(3) === 0 ? [onRedis(random, between)] : []),
  ];
  const deeds = [...work, ...faults]
    .map((deed) => ({ afterMs: random.below(roundMs), deed }))
    .sort((a, b) => a.afterMs - b.afterMs);
  return { cleanUp: random.below(4) === 0 ? area() : undefined, deeds };
}

type Between = (from: number, to: number) => number;

function onHost(host: HostName, random: Random, between: Between): Deed {
  return random.pick<() => Deed>([
    () => ({ do: "kill", host, forMs: between(0, 3_000) }),
    () => ({ do: "kill", host, forMs: between(0, 3_000) }),
    () => ({ do: "pause", host, forMs: between(1_000, 15_000) }),
    () => ({ do: "cut off", host, forMs: between(1_000, 14_000) }),
    () => ({ do: "slow down", host, callMs: between(5, 50), forMs: between(2_000, 10_000) }),
    () => ({ do: "move the clock", host, byMs: between(-600_000, 600_000), forMs: between(2_000, 8_000) }),
  ])();
}

function onRedis(random: Random, between: Between): Deed {
  return random.pick<() => Deed>([
    () => ({ do: "kill Redis", forMs: between(0, 3_000) }),
    () => ({ do: "freeze Redis", forMs: between(1_000, 12_000) }),
    () => ({ do: "flush Redis" }),
  ])();
}

function elsewhere(random: Random, between: Between, area: () => number): Deed {
  return random.pick<() => Deed>([
    () => ({ do: "fill", where: random.pick(places), forMs: between(500, 5_000) }),
    () => ({ do: "make read-only", where: random.pick(places), forMs: between(500, 5_000) }),
    () => ({ do: "pause Megatest", forMs: between(500, 4_000) }),
    () => ({ do: "corrupt a copy", area: area(), to: random.pick(hostNames), forMs: 10_000 }),
  ])();
}
