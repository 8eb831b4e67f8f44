// The entry of a station's thread. Started by thread-station.ts, never imported.
import { parentPort } from "node:worker_threads";
import { JobsError, toJobsError } from "../../shared/errors.ts";
import { failpointFromEnvironment } from "../../shared/failpoint.ts";
import { Station, type StationSetup } from "./station.ts";
import type { StationCall, StationReply, StationRequest, StationValue } from "./thread-station.ts";
import { stopGraceMs } from "./transaction.ts";
import { type Vacuum, type VacuumReply, vacuum } from "./vacuum.ts";

if (parentPort === null) throw new TypeError("this file is started as a thread");
const port = parentPort;

function reply(message: StationReply): void {
  port.postMessage(message);
}

/** One job's work in this thread, from `open` to `close`. */
class Duty {
  /** The job is to end: a large run is left for the next job; what is in hand is finished. */
  readonly #stop = new AbortController();
  /** Another holder took over: nothing more may be tried. */
  readonly #lost = new AbortController();
  readonly #station: Promise<Station>;
  #queue: Promise<void> = Promise.resolve();
  #entered = () => {};

  constructor(setup: StationSetup) {
    this.#station = Station.open(
      setup,
      { stop: this.#stop.signal, lost: this.#lost.signal },
      {
        failpoint: failpointFromEnvironment(process.env.MTJOBS_FAILPOINT),
        enter: () => this.#enter(),
      },
    );
  }

  /** Asks whoever started the thread, who knows what else is written to the database. */
  #enter(): Promise<void> {
    return new Promise((resolve) => {
      this.#entered = resolve;
      reply({ ask: "enter" });
    });
  }

  heed(call: StationCall): void {
    if (call.call === "abort") this.#end(JobsError.fromDocument(call.error));
    else if (call.call === "entered") this.#entered();
    // Asked between two slices of a removal, so that nobody waits for its end.
    else if (call.call === "version") void this.#answer(call);
    else this.#queue = this.#queue.then(() => this.#answer(call));
  }

  #end(reason: JobsError): void {
    this.#stop.abort(reason);
    if (reason.code === "lost-lease") this.#lost.abort(reason);
    // What is in hand is finished, unless somebody keeps the database busy.
    else setTimeout(() => this.#lost.abort(reason), stopGraceMs).unref();
  }

  async #answer(call: StationRequest): Promise<void> {
    try {
      const value = await perform(await this.#station, call);
      reply({ id: call.id, value });
    } catch (thrown) {
      reply({ id: call.id, error: toJobsError(thrown).toDocument() });
    }
  }
}

async function perform(station: Station, call: StationRequest): Promise<StationValue> {
  if (call.call === "remove") return station.remove(call.removal);
  if (call.call === "refresh") await station.refresh();
  if (call.call === "version") return station.version();
  if (call.call === "insert") return station.insert(call.insertion);
  if (call.call === "find-incomplete") return station.findIncomplete(call.insertion);
  if (call.call === "close") station.close();
  return undefined;
}

/** Needs no station, whose opening would wait for a database that is in use. */
function answerVacuum(order: Vacuum): VacuumReply {
  try {
    vacuum(order);
    return { vacuumed: true };
  } catch (thrown) {
    return { error: toJobsError(thrown).toDocument() };
  }
}

let duty: Duty | undefined;

port.on("message", (call: StationCall | { vacuum: Vacuum }) => {
  if ("vacuum" in call) port.postMessage(answerVacuum(call.vacuum));
  else {
    if (call.call === "open") duty = new Duty(call.setup);
    duty?.heed(call);
  }
});
