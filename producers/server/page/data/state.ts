import type { FoundArea } from "../../../contract/area.ts";
import type { FleetEvent, WhoAmI } from "../../../contract/fleet.ts";
import { mayUse, type Role } from "../../../contract/roles.ts";
import type { Host, Job } from "./documents.ts";

/** What the page shows; code that changes it must call `changed`. */
export const state = {
  /** Undefined until the server has said who the user is; then nothing is offered. */
  me: undefined as WhoAmI | undefined,
  /** Whether the server's events arrive. */
  live: { text: "connecting", className: "" },
  areas: undefined as readonly FoundArea[] | undefined,
  /** Directories that could not be scanned. */
  warnings: [] as readonly string[],
  /** Why the list of areas is unavailable. */
  trouble: undefined as string | undefined,
  fleet: undefined as FleetEvent | undefined,
  /** Changes whenever a job is added, changes its state, or ends. */
  jobsVersion: 0,
};

/** Returns true if the token may do this, so that it may be offered. */
export function may(role: Role): boolean {
  return state.me !== undefined && mayUse(state.me.role, role);
}

let draw = (): void => {};
let waiting = false;

export function drawWith(render: () => void): void {
  draw = render;
}

/** Schedules a redraw before the next frame, once for all changes until then. */
export function changed(): void {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

/** Returns true if an area's `homehost` is `host`. */
export function isHomeOf({ host, worker }: Host, homehost: string | null): boolean {
  return homehost !== null && (homehost === host || homehost === worker?.address);
}

/** Returns an area's homehost, by the host's name if it is known. */
export function homeName({ homehost }: Pick<FoundArea, "homehost">): string {
  return state.fleet?.hosts.find((host) => isHomeOf(host, homehost))?.host ?? homehost ?? "";
}

/** Returns the unfinished jobs of an area, the next one first; without the steps of migrations. */
export function jobsOf(path: string): Job[] {
  return (state.fleet?.jobs ?? []).filter(({ area }) => area === path).reverse();
}
