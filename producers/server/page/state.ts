import type { AreaSummary, Farm, Host } from "./documents.ts";

/** What the page shows; whoever changes it calls `changed`. */
export const state = {
  areas: undefined as readonly AreaSummary[] | undefined,
  /** What was not looked at for areas. */
  warnings: [] as readonly string[],
  /** Why there is no list of areas. */
  trouble: undefined as string | undefined,
  farm: undefined as Farm | undefined,
  /** What the path or name of an area must hold. */
  filter: "",
  /** Only areas at home there; a host, or a homehost that is none of ours; "" for all. */
  home: "",
  page: 0,
};

let draw = (): void => {};
let waiting = false;

/** Says what draws the page. */
export function drawWith(render: () => void): void {
  draw = render;
}

/** Has the page drawn before the browser shows it next; all changes until then are drawn at once. */
export function changed(): void {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

/** Whether `homehost`, as an area has it, means `host`. */
export function isHomeOf({ host, worker }: Host, homehost: string | null): boolean {
  return homehost !== null && (homehost === host || homehost === worker?.address);
}

/** The host an area is at home on, by its name where one of ours is meant. */
export function homeName({ homehost }: AreaSummary): string {
  return state.farm?.hosts.find((host) => isHomeOf(host, homehost))?.host ?? homehost ?? "";
}
