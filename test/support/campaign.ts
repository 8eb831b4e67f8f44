/**
 * True for `npm run faults`, which has time for every case of tests that are long: a test run takes one of each kind.
 */
export const isCampaign = process.env.MTJOBS_FAULTS === "all";

/** True for `npm run limits`: areas as large as they may get, of which a test run takes a hundredth. */
export const areFullSizes = process.env.MTJOBS_LIMITS === "full";

/** All of the cases in a campaign; else the first `count` of them. */
export function casesOf<Case>(cases: readonly Case[], count: number): Case[] {
  return isCampaign ? [...cases] : cases.slice(0, count);
}
