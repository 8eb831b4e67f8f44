// The entry of a thread that checks one database. Started by digest-in-thread.ts, never imported.
import { parentPort, workerData } from "node:worker_threads";
import { toJobsError } from "../../shared/errors.ts";
import { assertSound, digestOf } from "./digest.ts";
import type { DigestReply } from "./digest-in-thread.ts";

if (parentPort === null) throw new TypeError("this file is started as a thread");
const file = workerData as string;
let reply: DigestReply;
try {
  assertSound(file);
  // Whoever waits gives the thread up where it must stop.
  reply = { digest: digestOf(file, new AbortController().signal) };
} catch (error) {
  reply = { error: toJobsError(error).toDocument() };
}
parentPort.postMessage(reply);
