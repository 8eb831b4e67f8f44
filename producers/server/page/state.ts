import type { FoundArea } from "../../contract/area.ts";
import type { FleetEvent } from "../../contract/fleet.ts";
import type { Host } from "./documents.ts";

/** What the page shows; code that changes it must call `changed`. */
export const state = {
  areas: undefined as readonly FoundArea[] | undefined,
  /** Directories that could not be scanned. */
  warnings: [] as readonly string[],
  /** Why the list of areas is unavailable. */
  trouble: undefined as string | undefined,
  fleet: undefined as FleetEvent | undefined,
  /** Text that an area's path or name must contain. */
  filter: "",
  /** Shows only areas of this host, or of a homehost that is no known host; "" for all. */
  home: "",
  page: 0,
};

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
export function homeName({ homehost }: FoundArea): string {
  return state.fleet?.hosts.find((host) => isHomeOf(host, homehost))?.host ?? homehost ?? "";
}
