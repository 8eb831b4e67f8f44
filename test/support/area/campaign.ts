import { variable } from "../environment.ts";

/** True for `npm run faults`, which runs every case of long tests; a test run takes one of each kind. */
export const isCampaign = variable("MTJOBS_FAULTS") === "all";

/** True for `npm run limits`, which uses the largest areas; a test run uses a hundredth of the size. */
export const areFullSizes = variable("MTJOBS_LIMITS") === "full";

/** True for `npm run image-test`, which builds the container image. */
export const buildsImage = variable("MTJOBS_IMAGE") === "yes";

/** True for `npm run machines`, which starts virtual machines. */
export const runsMachines = variable("MTJOBS_MACHINES") === "yes";

/** Returns all cases in a campaign; otherwise the first `count`. */
export function casesOf<Case>(cases: readonly Case[], count: number): Case[] {
  return isCampaign ? [...cases] : cases.slice(0, count);
}
