import { openAllowedArea } from "../../shared/area/area.ts";
import { type Policy, readPolicies } from "../../shared/area/config/policies.ts";
import {
  type PolicyJob,
  policyName,
  policySections,
  policyText,
} from "../../shared/area/config/policy-name.ts";
import { type MovePayload, parsePayload } from "../../shared/contract/payload.ts";
import { JobsError } from "../../shared/errors.ts";
import { deduplicationId } from "../../shared/queue/enqueue-options.ts";
import type { Settings } from "../../shared/settings/settings.ts";

/** Returns the payload of the job that a line of an area's config asks for. */
export function policyPayload(area: string, policy: Policy, host: string): unknown {
  const { request } = policy;
  return { ...request, v: 1, area, policy: policyName(policy), requestedBy: `megatest.config@${host}` };
}

const isPolicyJob = (job: string): job is PolicyJob => job in policySections;

/**
 * Checks that the config still asks for the job, which may have waited for long: if the line is gone or changed,
 * nothing is done.
 *
 * @throws JobsError `cancelled`; otherwise as `openAllowedArea`
 */
export function assertStillRequested(
  job: string,
  payload: MovePayload,
  settings: Settings,
  env: NodeJS.ProcessEnv,
): void {
  const { policy } = payload;
  if (policy === undefined || !isPolicyJob(job)) return;
  const { config } = openAllowedArea(payload.area, settings, env);
  const line = readPolicies(config, job).policies.find((each) => policyName(each) === policy);
  const work = (data: MovePayload) => deduplicationId(job, data);
  const current =
    line !== undefined && work(parsePayload(job, policyPayload(payload.area, line, settings.host)));
  if (current === work(payload)) return;
  throw new JobsError("cancelled", `${policyText(policy)} no longer asks for this job`, {
    hint: "nothing was done; the changed policy runs when it is due",
  });
}
