import { openAllowedArea } from "../../shared/area/area.ts";
import { type ReducePolicy, readPolicies } from "../../shared/area/config/reduce-policies.ts";
import { parsePayload, type ReducePayload } from "../../shared/contract/payload.ts";
import { JobsError } from "../../shared/errors.ts";
import { deduplicationId } from "../../shared/queue/enqueue-options.ts";
import type { Settings } from "../../shared/settings/settings.ts";

/** Returns the payload of the reduce that a line of an area's config asks for. */
export function policyPayload(area: string, { name, request }: ReducePolicy, host: string): unknown {
  return { ...request, v: 1, area, policy: name, requestedBy: `megatest.config@${host}` };
}

/**
 * Checks that the config still asks for the job, which may have waited for long: if the line is gone or changed,
 * nothing is done.
 *
 * @throws JobsError `cancelled`; otherwise as `openAllowedArea`
 */
export function assertStillRequested(
  payload: ReducePayload,
  settings: Settings,
  env: NodeJS.ProcessEnv,
): void {
  if (payload.policy === undefined) return;
  const { config } = openAllowedArea(payload.area, settings, env);
  const line = readPolicies(config).policies.find(({ name }) => name === payload.policy);
  const work = (data: ReducePayload) => deduplicationId("reduce", data);
  const current =
    line !== undefined && work(parsePayload("reduce", policyPayload(payload.area, line, settings.host)));
  if (current === work(payload)) return;
  throw new JobsError("cancelled", `[reduce-records] ${payload.policy} no longer asks for this job`, {
    hint: "nothing was done; the changed policy runs when it is due",
  });
}
