/**
 * The door for tests of migrations: two or three hosts with workers, one area that moves between them, and the same
 * steps called in the test's own process. A test that imports it is an integration test.
 *
 * ```ts
 * await onHosts(async (hosts) => {
 *   const area = hosts.area();
 *   await Promise.all([hosts.start("host-a"), hosts.start("host-b")]);
 *   await hosts.migrated("host-b", await hosts.migrate(area, "host-b"));
 *   expect(homeHostOf(area)).toBe("host-b");
 * });
 * ```
 */

export { failpointCases } from "./faults/failpoint-cases.ts";
export { type FaultName, faults } from "./faults/faults.ts";
export { outlive } from "./faults/outlive.ts";
export { assertOneHome } from "./hosts/assert-one-home.ts";
export { closePart, openPart } from "./hosts/close-part.ts";
export { leaveClosedPair } from "./hosts/closed-pair.ts";
export { divergence, everywhereAtHome, mergeDivergent, writeTo } from "./hosts/divergent-cache.ts";
export { HostNamespace, mayMakeHosts } from "./hosts/host-namespace.ts";
export { type Link, openLink } from "./hosts/link.ts";
export {
  addresses,
  buildForTwo,
  closeByHand,
  contextOn,
  leaveAt,
  migrateByHand,
  type Place,
  type RunOptions,
  reconcileBoth,
  type Side,
  seenFromSide,
  switchByHand,
  takeOverByHand,
} from "./hosts/migration-hosts.ts";
export { leaveMigration } from "./hosts/open-migration.ts";
export {
  type HostName,
  Hosts,
  homeHostOf,
  homeOf,
  isClosed,
  letLeaseRunOut,
  migrationRow,
  onHosts,
  unionAt,
} from "./hosts/two-hosts.ts";
export { closePair, install, pairAt, type TwoPairs, takeSnapshot, twoPairs } from "./hosts/two-pairs.ts";
