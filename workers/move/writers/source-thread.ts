// The entry of a source thread. Started by source-client.ts, never imported.
import { failpointFromEnvironment } from "../../area-db/failpoint.ts";
import { serveCalls, type ThreadCall } from "../../threads/thread-rpc.ts";
import { vacuum } from "../sources/vacuum.ts";
import type { SourceWriterBack, SourceWriterCalls } from "./source-client.ts";
import { SourceJob } from "./source-job.ts";
import type { SourceWriter, SourceWriterSetup } from "./source-writer.ts";

type Call = ThreadCall<SourceWriterBack>;

/** Of the job that this thread works for. */
let job: SourceJob | undefined;
let current: Call;

function begin(setup: SourceWriterSetup, call: Call): SourceJob {
  current = call;
  return new SourceJob(setup, {
    failpoint: failpointFromEnvironment(process.env.MTJOBS_FAILPOINT),
    // The job's thread knows what else writes to the database.
    enter: () => current.ask("enter", undefined),
  });
}

function opened({ signal }: Call): SourceJob {
  if (job === undefined) throw new TypeError("the source is not open");
  job.follow(signal);
  return job;
}

function inOrder<T>(call: Call, work: (writer: SourceWriter) => T | Promise<T>): Promise<T> {
  return opened(call).inOrder((writer) => {
    current = call;
    return work(writer);
  });
}

serveCalls<SourceWriterCalls, SourceWriterBack>({
  open: async (setup, call) => {
    job = begin(setup, call);
    await inOrder(call, (writer) => writer.measureCommits());
  },
  remove: (removal, call) => inOrder(call, (writer) => writer.remove(removal)),
  insert: (insertion, call) => inOrder(call, (writer) => writer.insert(insertion)),
  findIncomplete: (insertion, call) => inOrder(call, (writer) => writer.findIncomplete(insertion)),
  refresh: (_, call) => inOrder(call, (writer) => writer.refresh()),
  version: (_, call) => opened(call).now((writer) => writer.version()),
  close: (_, call) => inOrder(call, (writer) => writer.close()),
  vacuum: (order) => vacuum(order),
});
