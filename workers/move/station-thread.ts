// The entry of a station's thread. Started by thread-station.ts, never imported.
import { parentPort, workerData } from "node:worker_threads";
import { JobsError, toJobsError } from "../../shared/errors.ts";
import { failpointFromEnvironment } from "../../shared/failpoint.ts";
import { Station, type StationSetup } from "./station.ts";
import type { StationCall, StationReply, StationRequest, StationValue } from "./thread-station.ts";
import { stopGraceMs } from "./transaction.ts";

if (parentPort === null) throw new TypeError("this file is started as a thread");
const port = parentPort;
/** The job is to end: a large run is left for the next job; what is in hand is finished. */
const stop = new AbortController();
/** Another holder took over: nothing more may be tried. */
const lost = new AbortController();
const failpoint = failpointFromEnvironment(process.env.MTJOBS_FAILPOINT);
let station: Station | undefined;
let queue: Promise<void> = Promise.resolve();
let entered = () => {};

port.on("message", (call: StationCall) => {
  if (call.call === "abort") end(JobsError.fromDocument(call.error));
  else if (call.call === "entered") entered();
  // Asked between two slices of a removal, so that nobody waits for its end.
  else if (call.call === "version") void answer(call);
  else queue = queue.then(() => answer(call));
});

function end(reason: JobsError): void {
  stop.abort(reason);
  if (reason.code === "lost-lease") lost.abort(reason);
  // What is in hand is finished, unless somebody keeps the database busy.
  else setTimeout(() => lost.abort(reason), stopGraceMs).unref();
}

/** Asks whoever started the thread, who knows what else is written to the database. */
function enter(): Promise<void> {
  return new Promise((resolve) => {
    entered = resolve;
    reply({ ask: "enter" });
  });
}

async function answer(call: StationRequest): Promise<void> {
  try {
    station ??= await Station.open(
      workerData as StationSetup,
      { stop: stop.signal, lost: lost.signal },
      { failpoint, enter },
    );
    const value = await perform(station, call);
    reply({ id: call.id, value, size: station.pace.size, longestMs: station.pace.longestMs });
    if (call.call === "close") port.close();
  } catch (thrown) {
    reply({ id: call.id, error: toJobsError(thrown).toDocument() });
  }
}

async function perform(opened: Station, call: StationRequest): Promise<StationValue> {
  if (call.call === "remove") return opened.remove(call.removal);
  if (call.call === "refresh") await opened.refresh();
  if (call.call === "version") return opened.version();
  if (call.call === "insert") return opened.insert(call.insertion);
  if (call.call === "find-incomplete") return opened.findIncomplete(call.insertion);
  if (call.call === "vacuum") opened.vacuum(call.part);
  if (call.call === "close") opened.close();
  return undefined;
}

function reply(message: StationReply): void {
  port.postMessage(message);
}
