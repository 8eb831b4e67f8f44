import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { isRefillDue } from "../megatest/refill.ts";
import { assertNothingLost, type NothingLostOptions } from "../oracle/assert-nothing-lost.ts";
import type { Union } from "../oracle/records.ts";
import { historyOf } from "../queue/kill.ts";
import { isClosed, unionAt } from "./two-hosts.ts";

/**
 * Asserts that the area has one home, complete; that its pair accepts writes and the other does not; that no known
 * row is missing; and that nothing is left over.
 *
 * @param home the area as its home sees it
 * @param other as the other host sees it
 */
export function assertOneHome(
  home: SampleArea,
  other: Pick<SampleArea, "cacheDb" | "refDb">,
  before: Union,
  losses: NothingLostOptions = {},
): void {
  expect([home.cacheDb, home.refDb].map(isClosed)).toEqual([false, false]);
  for (const file of [other.cacheDb, other.refDb]) if (existsSync(file)) expect(isClosed(file)).toBe(true);
  assertNothingLost(before, unionAt(home), { newRecords: true, ...losses });
  expect(isRefillDue(home)).toBe(false);
  expect(readdirSync(home.directory).filter((name) => name.startsWith(".homehost"))).toEqual([".homehost"]);
  const left = join(home.directory, ".mtjobs", "migration");
  if (existsSync(left)) expect(readdirSync(left)).toEqual([]);
  const jobs = historyOf(home).map(({ jobId }) => jobId);
  expect(new Set(jobs).size).toBe(jobs.length);
}
