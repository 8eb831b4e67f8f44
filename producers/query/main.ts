// Runs one query in its own process, which can be killed while SQLite is working; a thread cannot.
import { Worker } from "node:worker_threads";
import { toJobsError } from "../../shared/errors.ts";
import { FullDb } from "../full-db/full-db.ts";
import type { Value } from "../full-db/parameters.ts";
import { boundedColumns, boundedRow } from "./bounded-row.ts";
import {
  bytesPerMessage,
  type CutPlace,
  type FromQuery,
  messagesAhead,
  outOfMemorySignal,
  type QueryRequest,
  rowsPerMessage,
  type ToQuery,
} from "./query-messages.ts";

/**
 * Ends this process when its parent is gone, because SQLite would hold its locks until the query ends; and when it has
 * more memory than it may.
 */
const watch = `const { workerData: { memoryBytes, signal } } = require("node:worker_threads");
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
  if (memoryBytes !== undefined && process.memoryUsage.rss() > memoryBytes) process.kill(process.pid, signal);
}, memoryBytes === undefined ? 500 : 50);`;

const send = (message: FromQuery) =>
  new Promise<void>((resolve, reject) => {
    process.send?.(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });

let credit = messagesAhead;
let goOn: (() => void) | undefined;

async function sendRows(rows: Value[][], cut: CutPlace[]): Promise<void> {
  if (credit === 0) {
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
  }
  credit--;
  await send({ type: "rows", rows, cut });
}

/** What was cut off is freed when there is this much of it: V8 waits for longer than the limit of memory allows. */
const mostDropped = 16 * 1024 * 1024;

async function runQuery({ files, sql, fullDb, limits }: QueryRequest): Promise<void> {
  const db = new FullDb(files, { fullDb, bigints: true, sortInMemory: limits !== undefined });
  try {
    const query = db.prepare(sql);
    await send({ type: "columns", columns: boundedColumns(query.columns, limits) });
    let rows: Value[][] = [];
    let cut: CutPlace[] = [];
    let [bytes, dropped] = [0, 0];
    for (const values of query.iterateRaw()) {
      const row =
        limits === undefined ? { values, cut: [], bytes: 0, dropped: 0 } : boundedRow(values, limits);
      for (const column of row.cut) cut.push([rows.length, column]);
      rows.push(row.values);
      bytes += row.bytes;
      dropped += row.dropped;
      if (dropped > mostDropped) {
        globalThis.gc?.();
        dropped = 0;
      }
      if (rows.length < rowsPerMessage && bytes < bytesPerMessage) continue;
      await sendRows(rows, cut);
      [rows, cut, bytes] = [[], [], 0];
    }
    if (rows.length > 0) await sendRows(rows, cut);
  } finally {
    db.close();
  }
  await send({ type: "end" });
}

process.on("message", (message: ToQuery) => {
  if (message.type === "more") {
    credit++;
    goOn?.();
    goOn = undefined;
    return;
  }
  const { limits } = message.request;
  const workerData = { memoryBytes: limits?.memoryBytes, signal: outOfMemorySignal };
  new Worker(watch, { eval: true, workerData }).unref();
  runQuery(message.request)
    .catch((error: unknown) => send({ type: "error", error: toJobsError(error).toDocument() }))
    .finally(() => process.exit(0));
});
