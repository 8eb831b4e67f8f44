// Runs one query in its own process, which can be killed while SQLite is working; a thread cannot.
import { Worker } from "node:worker_threads";
import { toJobsError } from "../../shared/errors.ts";
import { FullDb } from "../full-db/full-db.ts";
import type { Value } from "../full-db/parameters.ts";
import {
  type FromQuery,
  messagesAhead,
  type QueryRequest,
  rowsPerMessage,
  type ToQuery,
} from "./query-messages.ts";

/** Ends this process when its parent is gone; otherwise SQLite would hold its locks until the query ends. */
const watch = `const parent = process.ppid;
setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, "SIGKILL"); }, 500);`;

const send = (message: FromQuery) =>
  new Promise<void>((resolve, reject) => {
    process.send?.(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });

let credit = messagesAhead;
let goOn: (() => void) | undefined;

async function sendRows(rows: Value[][]): Promise<void> {
  if (credit === 0) {
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
  }
  credit--;
  await send({ type: "rows", rows });
}

async function runQuery({ files, sql, fullDb }: QueryRequest): Promise<void> {
  const db = new FullDb(files, { fullDb, bigints: true });
  try {
    const query = db.prepare(sql);
    await send({ type: "columns", columns: [...query.columns] });
    let rows: Value[][] = [];
    for (const row of query.iterateRaw()) {
      rows.push(row);
      if (rows.length < rowsPerMessage) continue;
      await sendRows(rows);
      rows = [];
    }
    if (rows.length > 0) await sendRows(rows);
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
  new Worker(watch, { eval: true }).unref();
  runQuery(message.request)
    .catch((error: unknown) => send({ type: "error", error: toJobsError(error).toDocument() }))
    .finally(() => process.exit(0));
});
