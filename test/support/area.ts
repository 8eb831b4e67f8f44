/**
 * The door for tests of an area's files: a temporary area, traits and edits of real areas, readers, the oracle, and
 * what Megatest does with its databases. Nothing here starts a process or needs Redis or a build.
 *
 * ```ts
 * const area = newArea({ runs: 3 });
 * lockRun(area, 1);
 * expect(readColumn(area.cacheDb, "SELECT state FROM runs WHERE id = 1")).toEqual(["locked"]);
 * ```
 */
export {
  addClashingLooseRows,
  addColumn,
  addOrphans,
  addPrereqFailedTest,
  addRunIn,
  addRunningTest,
  addTestIn,
  changeInCacheOnly,
  changeInMegatestDbOnly,
  deleteRun,
  firstTestOf,
  leaveMegatestDbBehind,
  lockRun,
  reportStepAgain,
  reuseBlockId,
} from "./area/area-traits.ts";
export { asUser, isRoot, nobody } from "./area/as-user.ts";
export { areFullSizes, buildsImage, casesOf, isCampaign, runsMachines } from "./area/campaign.ts";
export { checkOf, diagnoseArea, faultsOf, healthyArea, placeOf } from "./area/diagnose-area.ts";
export { edit, everywhere, fileOf, makeRefillDue, type Place, settleTimes } from "./area/edit-area.ts";
export { farIds, giveId, recordTables } from "./area/far-ids.ts";
export { fingerprint } from "./area/fingerprint.ts";
export { plantJournal } from "./area/hot-journal.ts";
export { canMakeImmutable, makeImmutable } from "./area/immutable.ts";
export { giveTestsTo } from "./area/large-run.ts";
export { makeFifo } from "./area/make-fifo.ts";
export { exportsIn, movedRows, noRows } from "./area/moved-rows.ts";
export {
  addNullKeys,
  addOddValues,
  addSecondCache,
  leaveHotJournal,
  makeCacheWal,
} from "./area/odd-values.ts";
export { type Cell, completedColumn, keptVersions, readColumn, readRows } from "./area/read-rows.ts";
export { type RealShape, realShapeArea, realShapeListRuns, type Stage } from "./area/real-shape.ts";
export { record } from "./area/recorded.ts";
export { constrain } from "./area/redefine-column.ts";
export { errorOf, makeArea, rejectionOf, settingsFor, writeFile } from "./area/small-area.ts";
export { filesOf, newArea } from "./area/temp-area.ts";
export { temporaryDirectory, testRoot } from "./area/temp-directory.ts";
export { waitFor } from "./area/wait-for.ts";
export { writeAgainst } from "./area/write-against.ts";
export { variable } from "./environment.ts";
export { cleanUp, repair } from "./megatest/cleanup.ts";
export { openClient } from "./megatest/client.ts";
export type { AcknowledgedWrite } from "./megatest/client-messages.ts";
export { isRefillDue, openAsMegatest, refill } from "./megatest/refill.ts";
export { removeRuns } from "./megatest/remove-runs.ts";
export { syncOnce } from "./megatest/sync.ts";
export {
  assertNothingLost,
  assertWritesKept,
  type NothingLostOptions,
} from "./oracle/assert-nothing-lost.ts";
export { readSuperseded } from "./oracle/completed.ts";
export { diff } from "./oracle/diff.ts";
export type { NaturalRecord, Space, Union } from "./oracle/records.ts";
export { integrityProblems, showValue, snapshot } from "./oracle/snapshot.ts";
export { unionOfRuns } from "./oracle/union.ts";
