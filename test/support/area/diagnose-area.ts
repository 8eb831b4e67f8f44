import { chmodSync } from "node:fs";
import type { Check, Diagnosis } from "../../../producers/contract/area.ts";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { resolveSettings } from "../../../shared/settings/settings.ts";
import { newArea } from "./temp-area.ts";

/** A quiet area with nothing wrong: every test has ended, cache and megatest.db agree. */
export function healthyArea(runs = 4): SampleArea {
  const area = newArea({ runs, inFlight: 0, unsynced: false });
  chmodSync(area.directory, 0o755);
  return area;
}

/** What the doctor says of an area, looked at from `host`. */
export async function diagnoseArea(area: SampleArea, host = area.host): Promise<Diagnosis> {
  const { diagnose } = await import("../../../producers/doctor/diagnose.ts");
  return await diagnose(area.directory, placeOf(area, host));
}

/** Where the doctor looks from. */
export function placeOf({ user, cacheRoot, host: home }: SampleArea, host = home) {
  return {
    settings: resolveSettings({ flags: { host, user, cacheRoot, address: "10.9.9.9" } }),
    cwd: "/",
    env: {},
  };
}

/** One check by its name; fails without it. */
export function checkOf({ checks }: Diagnosis, name: string): Check {
  const found = checks.find((check) => check.name === name);
  if (found === undefined)
    throw new Error(`no check ${name} among ${checks.map((check) => check.name).join(", ")}`);
  return found;
}

/** The names of the checks that found a fault. */
export function faultsOf({ checks }: Diagnosis): string[] {
  return checks.filter(({ ok }) => ok === false).map(({ name }) => name);
}
