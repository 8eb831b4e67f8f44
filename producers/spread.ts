import { isInside } from "../shared/area/roots.ts";

/** A host that may take areas. */
export interface HostLoad {
  host: string;
  /** Number of areas whose homehost it is. */
  areas: number;
  /** The roots that its worker may touch. */
  roots: readonly string[];
}

/**
 * Assigns each area to the host with the fewest areas, counting those already assigned, among those whose worker
 * may touch it; the first one on a tie. Areas that no host may take are missing from the result.
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
