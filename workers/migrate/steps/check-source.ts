import { statSync } from "node:fs";
import type { MigrateStepPayload } from "../../../shared/contract/migrate-payload.ts";
import type { CheckReport, MigrateCheck } from "../../../shared/contract/migrate-result.ts";
import { JobsError } from "../../../shared/errors.ts";
import { ownVersion } from "../../../shared/version.ts";
import { assertSchemaFits } from "../../area-db/fit-area.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { type OpenedArea, openAreaForJob } from "../../area-db/open-area.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";
import { openFileCheck, serverChecks, spaceCheck } from "../checks/in-use.ts";
import { quietReport } from "../checks/quiescence.ts";
import { failed, passed } from "../checks/refusal.ts";
import { stopServers } from "../checks/stop-servers.ts";
import { assertGapFit } from "../pair/id-gap.ts";

export type CheckPayload = Extract<MigrateStepPayload, { step: "check" }>;
export type StopPayload = Extract<MigrateStepPayload, { step: "stop-servers" }>;

/** Checks on the old home what only that host can see. Changes nothing. */
export async function checkSource(payload: CheckPayload, context: JobContext): Promise<CheckReport> {
  const versions = versionCheck(payload.version);
  try {
    const opened = await openAreaForJob(payload, context);
    await retryWhileBusy(context.signal, () => assertSchemaFits(opened.files, opened.tally));
    await retryWhileBusy(context.signal, () => assertGapFit(opened.files));
    // This host's clock: reading the file server's creates a file.
    const report = await checkOpenArea(opened, payload, 0);
    return { ...report, checks: [versions, ...report.checks] };
  } catch (error) {
    if (!(error instanceof JobsError) || error.code !== "several-caches") throw error;
    return { checks: [versions, failed("caches", `on ${context.settings.host}: ${error.message}`)] };
  }
}

/** Requires equal minor versions, since both hosts share states and files. */
function versionCheck(theirs: string): MigrateCheck {
  const ours = ownVersion();
  const minor = (version: string) => version.split(".").slice(0, 2).join(".");
  return minor(ours) === minor(theirs)
    ? passed("versions", `both hosts run mtjobs ${minor(ours)}`)
    : failed("versions", `the old home runs mtjobs ${ours}, the new one ${theirs}`);
}

/** Checks an open place; that it opened implies that one cache is in use. */
export async function checkOpenArea(
  { area, cache, files, context }: OpenedArea,
  { quietFor: quietForMs, stopped = [] }: Pick<CheckPayload, "quietFor" | "stopped">,
  skewMs: number,
): Promise<CheckReport> {
  const quiet = await quietReport({ files, quietForMs, now: Date.now(), skewMs, signal: context.signal });
  const pairBytes = cache === undefined ? 0 : sizeOf(cache.megatestDb) + sizeOf(cache.refDb);
  return {
    ...quiet,
    checks: [
      ...quiet.checks,
      serverChecks(area, context.settings, skewMs, stopped),
      ...(cache === undefined ? [] : [openFileCheck(cache, process.pid, context.settings.host)]),
      passed("caches", cache === undefined ? "there is no cache" : "one cache is in use"),
      spaceCheck("space-area", area.realPath, pairBytes),
    ],
  };
}

function sizeOf(file: string | undefined): number {
  return file === undefined ? 0 : (statSync(file, { throwIfNoEntry: false })?.size ?? 0);
}

/** Stops the given processes if they are Megatest servers of the area. */
export async function stopServersOfArea(payload: StopPayload, context: JobContext): Promise<CheckReport> {
  const { area } = await openAreaForJob(payload, context);
  return { checks: [await stopServers(area, payload.pids, context.settings, context.signal)] };
}
