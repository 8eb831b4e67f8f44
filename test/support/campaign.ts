/**
 * True for `npm run faults`, which has time for every case of tests that are long: a test run takes one of each kind.
 */
export const isCampaign = process.env.MTJOBS_FAULTS === "all";

/** All of the cases in a campaign; else the first `count` of them. */
export function casesOf<Case>(cases: readonly Case[], count: number): Case[] {
  return isCampaign ? [...cases] : cases.slice(0, count);
}
