import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { JobsError } from "../../shared/errors.ts";
import { builtFile } from "../../shared/process.ts";
import type { Value } from "../full-db/parameters.ts";
import {
  type CutPlace,
  type FromQuery,
  outOfMemorySignal,
  type QueryRequest,
  type ToQuery,
} from "./query-messages.ts";

export interface RunningQuery {
  columns: readonly string[];
  /** Its rows, some hundred at a time; memory use is bounded. @throws {JobsError} possibly after some rows */
  batches(): AsyncGenerator<Value[][]>;
  /** The values that were cut of the rows so far (`QueryLimits`). */
  cut(): readonly CutPlace[];
}

export interface QueryOptions {
  /** Also limits how long it holds its locks. */
  timeoutMs: number;
  /** Aborted: the query is stopped; what it still reads fails. */
  signal?: AbortSignal;
}

/**
 * Starts a query; resolves once SQLite has compiled it. Its process ends after the last row, on an error, when the
 * reader stops early, or after `timeoutMs`.
 *
 * @throws {JobsError} `bad-query`, `read-only`, `timeout`, `busy`, …
 */
export async function startQuery(
  request: QueryRequest,
  { timeoutMs, signal }: QueryOptions,
): Promise<RunningQuery> {
  const child = fork(fileURLToPath(builtFile("producers/query/main.js")), [], {
    serialization: "advanced",
    // With a limit of memory it frees what it has cut off.
    execArgv: request.limits === undefined ? process.execArgv : [...process.execArgv, "--expose-gc"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  let expired = false;
  // The maximum of setTimeout.
  const timer = setTimeout(
    () => {
      expired = true;
      child.kill("SIGKILL");
    },
    Math.min(timeoutMs, 2 ** 31 - 1),
  );
  const stop = () => child.kill("SIGKILL");
  if (signal?.aborted === true) stop();
  signal?.addEventListener("abort", stop, { once: true });
  child.once("exit", () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  });
  const messages = readMessages(child, () => {
    if (expired) return timeoutError(timeoutMs);
    if (child.signalCode === outOfMemorySignal) return memoryError();
    if (signal?.aborted === true) return new JobsError("interrupted", "the query was stopped");
    return new JobsError("internal", "the query's process ended unexpectedly");
  });
  send(child, { type: "start", request });
  const first = await messages.next();
  if (first.done === true || first.value.type !== "columns") {
    child.kill("SIGKILL");
    throw new JobsError("internal", "the query's process sent no columns");
  }
  const cut: CutPlace[] = [];
  let rows = 0;
  return {
    columns: first.value.columns,
    batches: () =>
      readBatches(child, messages, (message) => {
        for (const [row, column] of message.cut) cut.push([rows + row, column]);
        rows += message.rows.length;
      }),
    cut: () => cut,
  };
}

function timeoutError(timeoutMs: number): JobsError {
  return new JobsError("timeout", `the query took longer than ${timeoutMs / 1000} s and was stopped`, {
    hint: "filter by run_id, test_id, id or runname, or allow it more time",
  });
}

function memoryError(): JobsError {
  return new JobsError("bad-query", "the query needs more memory than it may use", {
    hint: "sort, group or concatenate fewer rows",
  });
}

async function* readBatches(
  child: ChildProcess,
  messages: AsyncGenerator<FromQuery, void>,
  onRows: (message: FromQuery & { type: "rows" }) => void,
): AsyncGenerator<Value[][]> {
  try {
    for await (const message of messages) {
      if (message.type !== "rows") continue;
      onRows(message);
      yield message.rows;
      send(child, { type: "more" });
    }
  } finally {
    child.kill("SIGKILL");
    // Its locks end with it.
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
}

/**
 * Yields the messages of a process until it ends. Throws an error that it sends, or `unexpected` if it ends without
 * one.
 */
async function* readMessages(
  child: ChildProcess,
  unexpected: () => JobsError,
): AsyncGenerator<FromQuery, void> {
  const waiting: FromQuery[] = [];
  let gone = false;
  let wake = () => {};
  child.on("message", (message: FromQuery) => {
    waiting.push(message);
    wake();
  });
  // Not "exit": earlier messages may still arrive.
  child.once("close", () => {
    gone = true;
    wake();
  });
  for (;;) {
    const message = waiting.shift();
    if (message?.type === "error") throw JobsError.fromDocument(message.error);
    if (message?.type === "end") return;
    if (message !== undefined) yield message;
    else if (gone) throw unexpected();
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
}

/** Reading the messages detects a process that is gone. */
function send(child: ChildProcess, message: ToQuery): void {
  if (child.connected) child.send(message, () => {});
}
