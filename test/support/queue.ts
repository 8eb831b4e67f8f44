/**
 * The door for tests of jobs: a private prefix of a real Redis, workers and commands as processes, jobs in the test's
 * own process, and faults of a machine. A test that imports it is an integration test: it needs a build.
 *
 * ```ts
 * await onQueue(async (stage) => {
 *   await stage.worker("hostA");
 *   const area = stage.area("a1", "hostA");
 *   await stage.reach("hostA", await stage.enqueue("hostA", area, "end"), "completed");
 * });
 * ```
 */
export {
  type EmulatedClient,
  type EmulatedServer,
  readJournal,
  startMegatestClient,
  startMegatestServer,
} from "./megatest/processes.ts";
export { accessFaults, hasBrowser, picture, testsAllPages, withBrowser } from "./queue/browser.ts";
export { builtProgram } from "./queue/built-program.ts";
export { collectOutput } from "./queue/collect-output.ts";
export { commandEnv, endCommand, serveCommand, untilServing } from "./queue/command-worker.ts";
export { countMeanwhile } from "./queue/count-meanwhile.ts";
export { type DividedArea, divideArea, fullRows, openToWrite, readFilesOf } from "./queue/divided-area.ts";
export { afterReduce, doctorAndJob, oldCache, runUnsafe, type Spoil } from "./queue/doctor-and-job.ts";
export { holdOpen } from "./queue/file-holder.ts";
export { firstTime } from "./queue/first-time.ts";
export {
  assertFinished,
  assertReleased,
  assertUnharmed,
  type FencePart,
  fenceFile,
  fenceOf,
  fencesOf,
  historyOf,
  isStopped,
  reduceAndKill,
  reduceToTheEnd,
} from "./queue/kill.ts";
export { LockHolder, type LockKind } from "./queue/lock-holder.ts";
export {
  fillBut,
  makeReadOnly,
  mayMount,
  mount,
  mountFor,
  mountSmall,
  unmount,
  unmountAll,
} from "./queue/mount-small.ts";
export { canStartServer, type OwnServer, refuseWrites, withServer } from "./queue/own-redis.ts";
export { alteredExport, purgedArea } from "./queue/purged-area.ts";
export { onQueue, type QueueStage, type WorkerProcess } from "./queue/queue-stage.ts";
export { realArea, realWorker } from "./queue/real-worker.ts";
export { withRedis } from "./queue/redis.ts";
export { atRest, reducedArea, run2 } from "./queue/reduced-area.ts";
export {
  builtCommand,
  documentOf,
  errorCodeOf,
  type Finished,
  type Running,
  runCommand,
  startCommand,
} from "./queue/run-command.ts";
export { runProgram } from "./queue/run-program.ts";
export {
  movedIds,
  type Reduced,
  type ReduceOptions,
  type RunOptions,
  reduceSafely,
  runImport,
  runJobProcess,
  runPurge,
  runReduce,
  runReduceProcess,
  runRepair,
  runRestore,
  skippedBy,
  unionOf,
} from "./queue/run-reduce.ts";
export { type Answer, ask, serverEnv, startServer, withServerStage } from "./queue/server-stage.ts";
export { announce, migrated, refused, withStandIn } from "./queue/stand-in-host.ts";
export { stoppedReduce } from "./queue/stopped-reduce.ts";
export { canTrace } from "./queue/strace.ts";
export { watchTimes } from "./queue/watch-times.ts";
export { type Delivery, withReceiver } from "./queue/webhook-receiver.ts";
export { withLibrary } from "./queue/with-library.ts";
export { withMove } from "./queue/with-move.ts";
