import { openAreaUnchecked } from "../../shared/area/area.ts";
import { readAreaId } from "../../shared/area/area-id.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { assertSqliteLoads, type Part } from "../../shared/sqlite/connection.ts";
import { areaPath } from "../areas/area-path.ts";
import type { Check, Diagnosis } from "../contract/area.ts";
import { checkCaches } from "./checks/caches.ts";
import type { CheckName } from "./checks/check.ts";
import { examine, note } from "./checks/check.ts";
import { type DoctorContext, loadContext, nameOf } from "./checks/context.ts";
import { checkFitness } from "./checks/fitness.ts";
import { checkIntegrity } from "./checks/integrity.ts";
import { checkJournals } from "./checks/journals.ts";
import { checkLeftovers } from "./checks/leftovers.ts";
import { checkLocation } from "./checks/location.ts";
import { checkMigrations } from "./checks/migrations.ts";
import { checkRecords } from "./checks/records.ts";
import { Budget } from "./checks/scan-budget.ts";

export interface DoctorPlace {
  settings: Settings;
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** False for a server, which never works on an area: it need not be able to write there. Default true. */
  worksHere?: boolean;
}

/**
 * Checks everything in an area that a job relies on, read-only. Broken parts become verdicts. What makes a job refuse
 * is checked by the functions that the job itself calls.
 *
 * @throws {JobsError} `not-an-area`, `outside-roots` or `bad-config` if the path is not a usable area
 */
export async function diagnose(
  path: string,
  { settings, cwd, env, worksHere = true }: DoctorPlace,
): Promise<Diagnosis> {
  const area = openAreaUnchecked(areaPath(cwd, path), settings, env);
  const installation = await examine("installation", () => {
    assertSqliteLoads();
    return [];
  });
  // No check of a database means anything then.
  if (installation.length > 0)
    return { area: area.path, areaId: idOf(area), ok: false, checks: installation };
  const context = await loadContext(area, settings, worksHere);
  const budget = new Budget();
  const checks = oncePerFile(context, [
    ...(await checkLocation(context)),
    ...(await checkCaches(context)),
    ...(await checkJournals(context)),
    ...(await checkLeftovers(context)),
    ...(await checkMigrations(context)),
    ...(await checkFitness(context)),
    ...(await checkRecords(context, budget)),
    ...(await checkIntegrity(context, budget)),
  ]);
  return { area: area.path, areaId: idOf(area), ok: !checks.some(({ ok }) => ok === false), checks };
}

function idOf(area: Parameters<typeof readAreaId>[0]): string | null {
  try {
    return readAreaId(area);
  } catch {
    return null; // checkAreaId reports the reason
  }
}

/**
 * Reports a fault that fails several checks (a damaged file, a path of another owner) only once; the other checks
 * become notes that refer to it.
 */
function oncePerFile({ files }: DoctorContext, checks: Check[]): Check[] {
  const reported = new Map<unknown, Check>();
  for (const [part, file] of Object.entries(files) as [Part, string][]) {
    const names = [`journal/${nameOf[part]}`, `integrity/${nameOf[part]}`];
    const first = checks.find((check) => names.includes(check.name) && isDamage(check));
    if (first !== undefined) reported.set(file, first);
  }
  // Prefer the check whose only subject is that path.
  const isOwn = ({ name }: Check) => Number(name === "cache" || name.startsWith("journal/"));
  const refusals = checks.filter(({ ok, details }) => ok === false && details?.code !== undefined);
  for (const check of refusals.toSorted((a, b) => isOwn(b) - isOwn(a)))
    if (!reported.has(check.verdict)) reported.set(check.verdict, check);
  return checks.map((check) => {
    const { name, ok, details = {}, verdict } = check;
    if (ok !== false) return check;
    const damaged =
      details.code === "corrupt" ? filesOf(check).find((file) => reported.has(file)) : undefined;
    const first = reported.get(damaged ?? verdict);
    if (first === undefined || first === check) return check;
    const why = damaged === undefined ? "" : `${damaged} is damaged, `;
    return note(name as CheckName, `not checked: ${why}see ${first.name}`, { details });
  });
}

const isDamage = ({ ok, details }: Check) =>
  ok === false && (details?.code === "corrupt" || details?.found !== undefined);

function filesOf({ details }: Check): string[] {
  const databases = details?.databases;
  return Array.isArray(databases) ? databases.map(({ file }: { file: string }) => file) : [];
}
