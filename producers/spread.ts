import { isInside } from "../shared/area/roots.ts";

/** A host that may take areas. */
export interface HostLoad {
  host: string;
  /** How many areas are at home on it. */
  areas: number;
  /** What its worker may touch. */
  roots: readonly string[];
}

/**
 * Gives each area to the host that has the fewest by then, among those whose worker may touch it; the first of several
 * alike. Pure. An area that no host may take is missing in what it returns.
 */
export function spread(areas: readonly string[], targets: readonly HostLoad[]): Map<string, string> {
  const loads = targets.map((target) => ({ ...target }));
  const plan = new Map<string, string>();
  for (const area of areas) {
    const allowed = loads.filter(({ roots }) => roots.some((root) => isInside(area, root)));
    const [first, ...others] = allowed;
    if (first === undefined) continue;
    const least = others.reduce((best, next) => (next.areas < best.areas ? next : best), first);
    least.areas++;
    plan.set(area, least.host);
  }
  return plan;
}
